// The names of a clip's pictures, and the range of frames that forms a clip.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace laban {

/// The largest number allowed in a list or in a picture's name: 15 digits. Sums of these cannot overflow an
/// int64_t.
constexpr int64_t kMostFrameNumber = 999'999'999'999'999;

/// A range of a file's frames. Numbered as in annotation lists: for pictures, by the numbers in their names;
/// for a video, from 0.
struct FrameRange {
  std::optional<int64_t> first{};  // unset: the file's first frame, whatever its number
  int64_t count = 0;               // at least 1
  bool operator==(const FrameRange&) const = default;
};

/// Text, a zero-padded number, text: the pattern of a clip's picture names.
class FilenamePattern {
 public:
  /// Parses "img_%05d.jpg" or "img_{:05d}.jpg"; "%%" is a percent sign, "{{" a brace. UsageError for anything
  /// else.
  static FilenamePattern parse(std::string_view pattern);
  /// The pattern that this name follows: its last run of digits is the number. Empty if it has no digits, or
  /// more than 15.
  static std::optional<FilenamePattern> of(std::string_view file_name);

  std::string name(int64_t number) const;
  /// The number that gives exactly this name, if there is one.
  std::optional<int64_t> number(std::string_view file_name) const;
  /// What parse() reads.
  std::string pattern() const;
  const std::string& prefix() const { return prefix_; }
  const std::string& suffix() const { return suffix_; }

  bool operator==(const FilenamePattern&) const = default;

 private:
  std::string prefix_, suffix_;
  int digits_ = 1;  // at least
};

}  // namespace laban
