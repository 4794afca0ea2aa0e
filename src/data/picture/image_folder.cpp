#include "data/picture/image_folder.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
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

/// Pictures whose names differ in their last number only.
struct Series {
  std::string prefix{};
  std::vector<std::string> names{};
  std::vector<std::string> extensions{};
  int64_t least = INT64_MAX, most = INT64_MIN;

  void add(const std::string& name, int64_t number) {
    names.push_back(name);
    least = std::min(least, number), most = std::max(most, number);
    const std::string extension = lower_extension(name);
    if (std::ranges::find(extensions, extension) == extensions.end()) extensions.push_back(extension);
  }
  /// "img_%05d.jpg (240 pictures)"
  std::string shown() const {
    const std::optional<FilenamePattern> rule = FilenamePattern::of(names.front());
    return text(visible(rule && names.size() > 1 ? rule->pattern() : names.front()), " (", names.size(),
                names.size() == 1 ? " picture)" : " pictures)");
  }
};

bool has_letters(const std::string& text) {
  return std::ranges::any_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
}

/// The prefix with every number in it as a #: parts of one clip may be numbered themselves, as in 12_0001.jpg (second
/// 12), or shot2_0041.jpg after shot1_0040.jpg.
std::string skeleton(const std::string& prefix) {
  std::string all;
  for (const char c : prefix)
    if (!is_digit(c))
      all += c;
    else if (all.empty() || all.back() != '#')
      all += '#';
  return all;
}

/// Joins series that only a number before the last tells apart, if that is all there is to the prefix or if they follow
/// one another.
void join_parts(std::vector<Series>& all) {
  std::map<std::string, std::vector<Series>> alike;
  for (Series& series : all) alike[skeleton(series.prefix)].push_back(std::move(series));
  all.clear();
  for (auto& [form, parts] : alike) {
    std::ranges::sort(parts, natural_less, &Series::prefix);
    bool follow = true;
    for (size_t i = 1; i < parts.size(); ++i) follow = follow && parts[i].least > parts[i - 1].most;
    const bool single = std::ranges::all_of(parts, [](const Series& part) { return part.names.size() == 1; });
    if (parts.size() > 1 && (!has_letters(form) || follow || single)) {
      for (size_t i = 1; i < parts.size(); ++i) {
        Series& first = parts.front();
        first.names.insert(first.names.end(), parts[i].names.begin(), parts[i].names.end());
        for (const std::string& extension : parts[i].extensions)
          if (std::ranges::find(first.extensions, extension) == first.extensions.end())
            first.extensions.push_back(extension);
      }
      parts.resize(1);
    }
    for (Series& part : parts) all.push_back(std::move(part));
  }
}

/// Whether the words of a prefix tell that a series shows the scene itself, or something derived from it.
bool says(const std::string& prefix, std::initializer_list<std::string_view> words) {
  std::string word;
  for (const char c : prefix + "_") {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) {
      word += static_cast<char>(c | 0x20);
    } else {
      if (std::ranges::find(words, word) != words.end()) return true;
      word.clear();
    }
  }
  return false;
}
bool shows_scene(const Series& s) {
  return s.prefix.empty() || says(s.prefix, {"img", "image", "frame", "rgb", "im", "color", "colour"});
}
bool shows_derived(const Series& s) {
  return !shows_scene(s) &&
         says(s.prefix, {"flow", "flowx", "flowy", "x", "y", "u", "v", "depth", "mask", "seg", "ir",
                         "thermal", "diff", "rgbdiff", "pose", "warp", "edge"});
}

/// The series that is the clip; `chosen` tells what was left. FileError if nothing tells which it is.
std::vector<std::string> choose_series(const fs::path& folder, const std::vector<std::string>& names,
                                       std::string& chosen) {
  std::map<std::string, Series> by_prefix;
  std::vector<std::string> strays;
  for (const std::string& name : names) {
    const std::optional<FilenamePattern> rule = FilenamePattern::of(name);
    const std::optional<int64_t> number = rule ? rule->number(name) : std::nullopt;
    if (!number) {
      strays.push_back(name);
      continue;
    }
    // What stands between the number and the extension counts, too: 0001_x.jpg, 0001_y.jpg.
    const std::string& suffix = rule->suffix();
    const std::string behind = suffix.substr(0, suffix.size() - fs::path(name).extension().string().size());
    Series& series = by_prefix[rule->prefix() + '\0' + behind];
    series.prefix = rule->prefix() + (behind.empty() ? "" : "_" + behind);
    series.add(name, *number);
  }
  std::vector<Series> all;
  for (auto& [prefix, series] : by_prefix) all.push_back(std::move(series));
  join_parts(all);
  std::erase_if(all, [&](const Series& series) {
    if (series.names.size() > 1 || all.size() == 1) return false;
    strays.push_back(series.names.front());
    return true;
  });
  if (all.empty()) return names;  // no series: every picture counts, by name
  const auto take = [&](const Series& series) {
    std::vector<std::string> others;
    for (const Series& other : all)
      if (&other != &series) others.push_back(other.shown());
    for (const std::string& stray : strays) others.push_back(visible(stray));
    std::string left;
    for (size_t i = 0; i < others.size() && i < 3; ++i) left += (i ? ", " : "") + others[i];
    if (others.size() > 3) left += text(" and ", others.size() - 3, " more");
    if (!others.empty()) chosen = text(series.shown(), " is taken; left out: ", left);
    if (series.extensions.size() > 1) {
      std::map<int64_t, std::string> seen;
      for (const std::string& name : series.names)
        if (const auto [other, fresh] = seen.emplace(number_in(name), name); !fresh)
          throw SeveralSeries(
              folder.string(),
              text("the folder has some pictures twice: ", visible(other->second), " and ", visible(name)),
              "Remove one kind, or choose it: --filename-pattern, for instance img_%05d.jpg.");
      chosen += text(chosen.empty() ? "" : "; ", "pictures of different kinds: ", series.extensions[0],
                     " and ", series.extensions[1]);
    }
    return series.names;
  };
  if (all.size() == 1) return take(all.front());
  const auto scene = std::ranges::count_if(all, shows_scene),
             derived = std::ranges::count_if(all, shows_derived);
  if (scene == 1 && scene + derived == std::ssize(all)) return take(*std::ranges::find_if(all, shows_scene));
  std::string shown;
  for (size_t i = 0; i < all.size() && i < 4; ++i) shown += (i ? ", " : "") + all[i].shown();
  throw SeveralSeries(folder.string(),
                      text("the folder contains ", all.size(), " series of pictures: ", shown),
                      "Say which is the clip: --filename-pattern, for instance img_%05d.jpg.");
}

std::vector<std::string> list_pictures(const fs::path& folder, const std::string& named,
                                       std::string& chosen) {
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
  if (!rule) {
    names = choose_series(folder, names, chosen);
    std::ranges::sort(names, natural_less);
  }
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

int64_t FolderIndex::picture_number(int64_t k) const {
  if (rule) return first_number + k;
  const int64_t number = number_in(names[static_cast<size_t>(k)]);
  return number < 0 ? k : number;
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
    index.names = list_pictures(folder, named, index.chosen);
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
  index.rotation = first.rotation, index.mirror = first.mirror;
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
    if (frame.rotation != index.rotation || frame.mirror != index.mirror)
      throw FileError(
          file.string(), "the picture is turned, by its EXIF orientation, unlike the first in its folder",
          "Turn the pictures themselves (with jpegtran or exiftran, for instance), or clear the orientation "
          "of all.");
    sink(k, frame);
  }
}

}  // namespace laban
