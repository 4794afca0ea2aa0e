// Inspects an MP4 file before libavformat opens it.
#pragma once

#include <filesystem>

namespace laban {

/// True for a fragmented MP4 file with a track that has no ID (its header, the box "tkhd", is missing or
/// damaged). libavformat 59 stores an error code as the position of each fragment in such a file, and counts
/// up from there: a second for each track of each fragment, minutes for a small file, without a way to
/// interrupt it. False for any other file, and for one that cannot be read. Reads only a few box headers.
bool has_unnumbered_fragments(const std::filesystem::path& file);

}  // namespace laban
