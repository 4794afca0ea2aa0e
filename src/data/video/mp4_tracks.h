// Inspects an MP4 file before libavformat opens it.
#pragma once

#include <optional>
#include <string>

#include "core/regular_file.h"

namespace laban {

/// True for a fragmented MP4 file with a track that has no ID (its header, the box "tkhd", is missing or
/// damaged). libavformat 59 stores an error code as the position of each fragment in such a file, and counts
/// up from there: a second for each track of each fragment, minutes for a small file, without a way to
/// interrupt it. False for any other file, and for one that cannot be read. Reads only a few box headers.
bool has_unnumbered_fragments(const RegularFile& file);

/// If a video track of an MP4 or QuickTime file has its pictures in another file, that file's name in the data
/// reference (the box "dref"); empty if it is given in another form. nullopt if all pictures are in this file,
/// or if it is a different kind of file. libavformat would open the other file, or mistake the bytes of this
/// one for it.
std::optional<std::string> pictures_elsewhere(const RegularFile& file);

}  // namespace laban
