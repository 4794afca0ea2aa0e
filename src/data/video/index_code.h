// A VideoIndex as bytes, a few per packet: the form in which a dataset's indices are kept in memory and on
// disk.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "data/video/video.h"

namespace laban {

/// The index with the stream's setup, so that opening the file again need not probe. Only valid for the same
/// version of libav (index_code_version).
std::string encode_index(const VideoIndex& index);

/// The decoded index; null if the bytes are invalid.
std::shared_ptr<const VideoIndex> decode_index(std::span<const std::byte> bytes);

/// Changes with the code above and with libav, whose numbers for codecs and pixel formats are in the bytes.
uint64_t index_code_version();

}  // namespace laban
