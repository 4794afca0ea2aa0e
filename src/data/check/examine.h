// Examines one file from its first byte to its last: what it contains, and what is wrong with it.
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
  no_video,         // contains sound or something else, but no video
  damaged,          // parts of it do not decode
  truncated,        // it ends before its own structures do
  wrong_extension,  // its format does not match its extension
  missing_frames,   // gaps in a folder's numbering, or requested frames that do not exist
  short_clip,       // it has fewer frames than a clip needs
  duplicate,        // another clip has the same content
  leak,             // another clip has the same content, in another split
  label_conflict,   // another clip has the same content, and another label
  near_leak,        // it looks like a clip in another split from beginning to end
  shared_scene,     // clips in several splits show the same scene
  // Remarks:
  near_duplicate,  // it looks like a clip in the same split from beginning to end
  shared_source,   // clips from one source are in several splits
  variable_rate,   // frame durations vary
  rotated,         // players rotate or mirror the picture; so does laban
  size_change,     // the picture size changes mid-stream
  mixed_pictures,  // a folder holds pictures that are not frames of the clip, or frames of several kinds
};
constexpr size_t kFindingKinds = 18;

/// "unreadable", "no-video", ...: for tables and JSON.
const char* name_of(FindingKind kind);
/// Something that should be fixed before training; the others are for information.
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
  std::string content{};                // SHA-256 of the video packets or pictures; empty if not readable
};

/// Decodes all of an item's file. Never throws because of the file's contents; throws Canceled if `cancel` is
/// set.
FileReport examine(const DatasetItem& item, const std::atomic<bool>* cancel);

}  // namespace laban
