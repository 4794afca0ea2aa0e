// A look into an MP4 file before libavformat opens it.
#pragma once

#include <filesystem>

namespace laban {

/// True for a fragmented MP4 file one of whose tracks has no number (its header, the box "tkhd", is missing
/// or damaged). libavformat 59 notes an error code as the position of each fragment of such a file, and
/// counts up from there: a second for each track of each fragment, minutes for a small file, and nothing can
/// stop it meanwhile. Any other file, and one that cannot be read: false. Reads a few boxes' heads.
bool has_unnumbered_fragments(const std::filesystem::path& file);

}  // namespace laban
