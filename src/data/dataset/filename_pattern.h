// How the pictures of a clip are called, and which of a file's frames are a clip.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace laban {

/// The largest number that a list or a picture's name may say: 15 digits. Sums of them stay far from the end
/// of an int64_t.
constexpr int64_t kMostFrameNumber = 999'999'999'999'999;

/// Some frames of a file. Numbers count as annotation lists do: for pictures the numbers in their names, for
/// a video its frames from 0.
struct FrameRange {
  std::optional<int64_t> first{};  // unset: the file's first frame, whatever its number
  int64_t count = 0;               // at least 1
  bool operator==(const FrameRange&) const = default;
};

/// Text, a number padded with zeros, text: the names of a clip's pictures as a rule.
class FilenamePattern {
 public:
  /// Reads "img_%05d.jpg" or "img_{:05d}.jpg"; "%%" is a percent sign, "{{" a brace. UsageError
  /// for anything else.
  static FilenamePattern parse(std::string_view pattern);
  /// The rule by which this name may have been made: its last run of digits is the number. Nothing where it
  /// has no digits, or more than 15.
  static std::optional<FilenamePattern> of(std::string_view file_name);

  std::string name(int64_t number) const;
  /// The number that gives exactly this name; nothing where none does.
  std::optional<int64_t> number(std::string_view file_name) const;
  /// What parse() reads.
  std::string pattern() const;
  const std::string& prefix() const { return prefix_; }

  bool operator==(const FilenamePattern&) const = default;

 private:
  std::string prefix_, suffix_;
  int digits_ = 1;  // at least so many
};

}  // namespace laban
