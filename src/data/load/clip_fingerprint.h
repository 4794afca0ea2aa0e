// Whether a clip's files are still those that a run began with: names alone do not tell.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"

namespace laban {

/// Two digests of a clip's files. Of a folder of pictures, they cover the number of pictures and the first, the
/// middle and the last of them; of a clip in a shard, the checksums of its frames.
struct ClipFingerprint {
  uint32_t contents = 0;  // sizes, and samples of the bytes: first, middle, last 4 KiB; 0: not readable
  uint32_t times = 0;     // sizes and modification times, which a copy of the dataset need not keep
  bool operator==(const ClipFingerprint&) const = default;
};

/// Those of `items` (positions in dataset.items), read by `threads` threads. Canceled if `stop` is set.
std::vector<ClipFingerprint> fingerprint_clips(const Dataset& dataset, const std::vector<int>& items,
                                               int threads, const std::atomic<bool>* stop = nullptr);

/// FileError if the clip is no longer the one that `before` was taken of. Where the times have stayed, its bytes
/// are not looked at; where `before.contents` is 0, nothing is.
void require_same_clip(const DatasetItem& item, const ClipFingerprint& before);

/// 16 hexadecimal digits a clip; and back. Nothing if the text is no such thing.
std::string to_text(std::span<const ClipFingerprint> fingerprints);
std::optional<std::vector<ClipFingerprint>> fingerprints_from(const std::string& text);

}  // namespace laban
