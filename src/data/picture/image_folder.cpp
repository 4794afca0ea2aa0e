#include "data/picture/image_folder.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/machine_error.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Natural order: runs of digits compare by value, everything else by bytes.
bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto run = [](const std::string& s, size_t& at) {
        while (at < s.size() && s[at] == '0') ++at;
        const size_t begin = at;
        while (at < s.size() && is_digit(s[at])) ++at;
        return std::string_view(s).substr(begin, at - begin);
      };
      const std::string_view x = run(a, i), y = run(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return static_cast<uint8_t>(a[i]) < static_cast<uint8_t>(b[j]);
      ++i, ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;  // equal except for leading zeros
}

/// The number in a picture's name: its last run of digits; -1 if there is none.
int64_t number_in(const std::string& name) {
  const std::optional<FilenamePattern> rule = FilenamePattern::of(name);
  return rule ? rule->number(name).value_or(-1) : -1;
}

std::vector<std::string> list_pictures(const fs::path& folder, const std::string& named) {
  std::optional<FilenamePattern> rule;
  if (!named.empty()) rule = FilenamePattern::parse(named);
  std::vector<std::string> names;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      std::string name = entry.path().filename().string();
      if (name.starts_with('.') || !is_picture_name(entry.path())) continue;
      // A dangling link is a picture that cannot be read; if it were skipped, a missing frame would go
      // unnoticed.
      std::error_code failed;
      const fs::file_status status = entry.status(failed);
      if (fs::exists(status) && !fs::is_regular_file(status)) continue;
      if (!rule || rule->number(name)) names.push_back(std::move(name));
    }
  } catch (const fs::filesystem_error& error) {
    throw_file_fault(folder, "cannot read the folder", error.code().value());
  }
  if (names.empty())
    throw FileError(folder.string(),
                    named.empty() ? "the folder contains no JPEG, PNG or BMP pictures"
                                  : "the folder contains no picture that matches " + named,
                    "Give a folder with the frames of a clip.");
  std::ranges::sort(names, natural_less);
  return names;
}

[[noreturn]] void refuse_range(const fs::path& folder, const FrameRange& range, const std::string& what) {
  const std::string asked = range.first
                                ? text("frames ", *range.first, " to ", *range.first + range.count - 1)
                                : text(range.count, " frames");
  throw FileError(folder.string(), text(asked, " are requested, but ", what),
                  "Extract the clip's frames again, or correct its row in the list.");
}

/// Keeps the pictures in the range, all of which must exist.
void choose(std::vector<std::string>& names, const fs::path& folder, const FrameRange& range) {
  const auto wanted = static_cast<size_t>(range.count);
  if (!range.first) {
    if (names.size() < wanted) refuse_range(folder, range, text("the folder contains ", names.size()));
    names.resize(wanted);
    return;
  }
  std::vector<std::string> chosen;
  for (std::string& name : names) {
    const int64_t number = number_in(name), next = *range.first + static_cast<int64_t>(chosen.size());
    if (number < *range.first || number >= *range.first + range.count) continue;
    if (number < next)
      refuse_range(folder, range, text(chosen.back(), " and ", name, " have the same number"));
    if (number > next) refuse_range(folder, range, text("number ", next, " is missing"));
    chosen.push_back(std::move(name));
  }
  if (chosen.size() < wanted)
    refuse_range(folder, range,
                 text("number ", *range.first + static_cast<int64_t>(chosen.size()), " is missing"));
  names = std::move(chosen);
}

/// Finds the first gap in numbers that otherwise increase by the same step.
std::string gap_in(const std::vector<std::string>& names) {
  if (names.size() < 3) return "";
  // The median, so that a few large gaps do not determine the step.
  std::vector<int64_t> steps;
  for (size_t i = 1; i < names.size(); ++i) steps.push_back(number_in(names[i]) - number_in(names[i - 1]));
  std::vector<int64_t> sorted = steps;
  std::ranges::sort(sorted);
  const int64_t step = sorted[(sorted.size() - 1) / 2];
  for (size_t i = 0; i < steps.size(); ++i)
    if (steps[i] > step) return text(names[i], " is followed by ", names[i + 1]);
  return "";
}

/// If all names follow one pattern with consecutive numbers, the pattern replaces them: a large dataset has
/// millions of names.
void compress(FolderIndex& index) {
  std::optional<FilenamePattern> rule = FilenamePattern::of(index.names.front());
  const std::optional<int64_t> first = rule ? rule->number(index.names.front()) : std::nullopt;
  if (!first) return;
  for (size_t k = 0; k < index.names.size(); ++k)
    if (index.names[k] != rule->name(*first + static_cast<int64_t>(k))) return;
  index.first_number = *first;
  index.rule = std::move(rule);
  index.names = {};
}

}  // namespace

std::filesystem::path FolderIndex::picture(int64_t k) const {
  return folder / (rule ? rule->name(first_number + k) : names[static_cast<size_t>(k)]);
}

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension;
}

bool is_picture_name(const fs::path& path) {
  constexpr std::array<std::string_view, 4> kExtensions{".jpg", ".jpeg", ".png", ".bmp"};
  return std::ranges::find(kExtensions, lower_extension(path)) != kExtensions.end();
}

FolderIndex list_frames(const fs::path& folder, const std::string& named,
                        const std::optional<FrameRange>& range) {
  FolderIndex index{.folder = folder};
  if (range && range->first && !named.empty()) {
    // Names follow from the pattern: a folder shared by many clips need not be listed for each.
    index.rule = FilenamePattern::parse(named);
    index.first_number = *range->first, index.count = range->count;
    std::error_code failed;
    for (int64_t k = 0; k < index.count; ++k)
      if (!fs::exists(index.picture(k), failed))
        refuse_range(folder, *range, text(index.picture(k).filename().string(), " is missing"));
  } else {
    index.names = list_pictures(folder, named);
    if (range) choose(index.names, folder, *range);
    index.gap = gap_in(index.names);
    index.count = static_cast<int64_t>(index.names.size());
    compress(index);
  }
  return index;
}

FolderIndex index_folder(const fs::path& folder, const std::string& named,
                         const std::optional<FrameRange>& range) {
  FolderIndex index = list_frames(folder, named, range);
  PictureReader reader;
  const Frame first = reader.read(index.picture(0));
  index.width = first.width, index.height = first.height;
  return index;
}

void read_folder(const FolderIndex& index, std::span<const int64_t> wanted, PictureReader& reader,
                 const std::function<void(int64_t, const Frame&)>& sink) {
  int64_t last = -1;
  for (const int64_t k : wanted) {
    require(k >= last && k < index.frame_count(),
            "read_folder: frame numbers must ascend within [0, frame_count)");
    if (k == last) continue;
    last = k;
    const fs::path file = index.picture(k);
    const Frame frame = reader.read(file);
    if (frame.width != index.width || frame.height != index.height)
      throw FileError(file.string(),
                      text("the picture is ", frame.width, "x", frame.height,
                           ", but the first in its folder is ", index.width, "x", index.height),
                      "Resize all frames of a clip to the same size.");
    sink(k, frame);
  }
}

}  // namespace laban
