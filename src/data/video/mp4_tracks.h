// A look into an MP4 file before libavformat opens it.
#pragma once

#include <optional>
#include <string>

#include "core/regular_file.h"

namespace laban {

/// True for a fragmented MP4 file one of whose tracks has no number (its header, the box "tkhd", is missing
/// or damaged). libavformat 59 notes an error code as the position of each fragment of such a file, and
/// counts up from there: a second for each track of each fragment, minutes for a small file, and nothing can
/// stop it meanwhile. Any other file, and one that cannot be read: false. Reads a few boxes' heads.
bool has_unnumbered_fragments(const RegularFile& file);

/// Where a video track of an MP4 or QuickTime file keeps its pictures in another file: how its data reference
/// (the box "dref") calls that file; empty where it does so in a way of its own. Nothing where all pictures
/// are in this file, or it is of another kind. libavformat would open the other file, or else take the bytes
/// of this one for it.
std::optional<std::string> pictures_elsewhere(const RegularFile& file);

}  // namespace laban
