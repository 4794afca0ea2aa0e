// Identifies the clip from which features were made by its contents: names are often the same in other
// datasets.
#pragma once

#include <optional>
#include <string>

#include "data/cache/shard.h"
#include "data/dataset/dataset.h"

namespace laban {

class ClipContents {
 public:
  /// "a video of 51200 bytes (1f0a...)": the size, and a prefix of the SHA-256 of the first 16 KiB. For
  /// pictures, their number, total size and a digest of the first one's beginning; for cached clips, the
  /// checksums of all frames. Independent of the dataset's location. Throws FileError if the clip cannot be
  /// read.
  std::string of(const DatasetItem& clip);

 private:
  std::optional<Shard> shard_;  // of the last cached clip: its neighbors are in the same one
};

}  // namespace laban
