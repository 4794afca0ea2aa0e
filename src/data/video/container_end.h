// Detects truncated files by the lengths stored in their containers.
#pragma once

#include <filesystem>
#include <string>

namespace laban {

/// If a part of the file that holds frames extends past the end of the file, says which: "its part \"mdat\"
/// lacks 300 of 9000 bytes". Otherwise empty, including for containers without lengths, or with lengths left
/// open by the writer. Reads only the headers of MP4 boxes (mdat, moof) and of AVI's RIFF chunks. `container`
/// is libav's name for it. Frame counts in headers are no evidence: some AVI writers count ticks, and edit
/// lists or packed streams omit frames.
std::string part_beyond_end(const std::filesystem::path& file, const std::string& container);

}  // namespace laban
