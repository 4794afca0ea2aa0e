// A VideoIndex as bytes, a few to a packet: what a dataset's indices take in memory and on the disk.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "data/video/video.h"

namespace laban {

/// The index with the stream's setup, so that opening the file again need not probe. Means the same only to
/// the same libav (index_code_version).
std::string encode_index(const VideoIndex& index);

/// The index again; null where the bytes are none.
std::shared_ptr<const VideoIndex> decode_index(std::span<const std::byte> bytes);

/// Changes with the code above and with libav, whose numbers for codecs and pixel formats are in the bytes.
uint64_t index_code_version();

}  // namespace laban
