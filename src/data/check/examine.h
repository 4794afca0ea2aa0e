// Looks at one file from its first byte to its last: what is in it, and what is wrong with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"

namespace laban {

enum class FindingKind : uint8_t {
  // Problems:
  unreadable,       // cannot be opened or decoded at all
  no_video,         // holds sound, or something else, but no moving pictures
  damaged,          // parts of it do not decode
  truncated,        // it ends before its own header says
  wrong_extension,  // it is another kind of file than it is called
  missing_frames,   // numbers are missing between a folder's pictures, or frames that a list asks for
  short_clip,       // it has fewer frames than a clip needs
  duplicate,        // another clip has the same content
  leak,             // another clip has the same content, in another split
  label_conflict,   // another clip has the same content, and another label
  // Remarks:
  shared_source,  // clips of one source lie in several splits
  variable_rate,  // frames are shown for unequal times
  rotated,        // players turn or mirror the picture; laban does too
  size_change,    // the picture size changes in mid-stream
};
constexpr size_t kFindingKinds = 14;

/// "unreadable", "no-video", ...: for tables and JSON.
const char* name_of(FindingKind kind);
/// Something that should be mended before training; the others are good to know.
bool is_problem(FindingKind kind);

struct FileFinding {
  FindingKind kind;
  std::string detail;  // a sentence without the file's name
};

struct FileReport {
  bool readable = false;
  std::vector<FileFinding> findings{};
  int64_t first_frame = 0, frames = 0;  // of the clip: see ItemIndex
  double fps = 0;                       // 0: a folder of pictures has none
  std::string content{};  // SHA-256 of what is shown (video packets, pictures); empty where not readable
};

/// Decodes all of an item's file. Never throws for what is in the file; Canceled where `cancel` was set.
FileReport examine(const DatasetItem& item, const std::atomic<bool>* cancel);

}  // namespace laban
