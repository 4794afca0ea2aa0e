// What a container's own lengths say about the end of its file.
#pragma once

#include <filesystem>
#include <string>

namespace laban {

/// Where a part of the file that holds frames is longer than what is left of the file: which, "its part
/// \"mdat\" lacks 300 of 9000 bytes"; else empty, as for a container that tells no lengths, or that left them
/// open when it was written. Reads a few heads: of the boxes of MP4 (mdat, moof), of the RIFF chunks of AVI.
/// `container` is libav's name of it. The frame counts in headers say nothing of the kind: an AVI that
/// another program wrote counts ticks, and an edit list or a packed stream leaves frames out.
std::string part_beyond_end(const std::filesystem::path& file, const std::string& container);

}  // namespace laban
