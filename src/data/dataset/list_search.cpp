#include "data/dataset/list_search.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/error.h"
#include "data/dataset/layouts.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

/// "kinetics_train_list.txt" -> kinetics, train, list. Trailing digits are words of their own.
std::vector<std::string> words_of(const std::string& name) {
  std::vector<std::string> words{""};
  for (const char c : name) {
    const auto u = static_cast<unsigned char>(c);
    const bool letter = std::isalpha(u), digit = std::isdigit(u);
    const std::string& last = words.back();
    const bool turns =
        !last.empty() && letter != static_cast<bool>(std::isalpha(static_cast<unsigned char>(last.back())));
    if ((!letter && !digit) || turns) words.emplace_back();
    if (letter || digit) words.back() += static_cast<char>(std::tolower(u));
  }
  std::erase(words, "");
  return words;
}

std::optional<Split> split_of_list(const fs::path& file) {
  for (const std::string& word : words_of(file.stem().string())) {
    if (const std::optional<Split> part = split_named(word)) return part;
    if (word == "trainlist") return Split::train;
    if (word == "vallist") return Split::val;
    if (word == "testlist") return Split::test;
  }
  return std::nullopt;
}

/// The fold to which a list belongs, "train_split_2.txt" or "testlist03.txt"; 0 if its name contains none.
int fold_of_list(const fs::path& file) {
  const std::vector<std::string> words = words_of(file.stem().string());
  for (size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == "split" || words[i] == "fold" || words[i].ends_with("list")) {
      const std::string digits =
          words[i + 1].substr(std::min(words[i + 1].find_first_not_of('0'), words[i + 1].size()));
      if (digits == "1" || digits == "2" || digits == "3") return digits[0] - '0';
    }
  return 0;
}

/// Whether its name says that it is a list of clips: train.txt, annotations.txt, my_list.txt.
bool is_called_list(const fs::path& file) {
  if (split_of_list(file)) return true;
  return std::ranges::any_of(words_of(file.stem().string()), [](const std::string& word) {
    return word == "annotation" || word == "annotations" || word == "list" || word == "lists";
  });
}

/// How much a file that is not a valid list resembles one.
struct Likeness {
  size_t rows = 0;
  size_t begin_with_clip = 0;  // rows that begin with an existing clip
  size_t good = 0;             // those of them that are valid
};
Likeness likeness_of(const std::string& all, MediaFolder& media) {
  const std::vector<GuessedRow> rows = guess_rows(all);
  Likeness like{.rows = rows.size()};
  const auto is_clip = [&](const std::string& path) {
    const fs::path clip = media.locate(path);
    std::error_code failed;
    return fs::is_directory(clip, failed) ? holds_pictures(clip)
                                          : is_video_name(clip) && fs::is_regular_file(clip, failed);
  };
  std::vector<std::string> paths;
  for (const GuessedRow& row : rows)
    for (const std::string& path : row.paths)
      if (is_video_name(path) || path.find('/') != std::string::npos || row.understood) paths.push_back(path);
  if (!media.choose(paths)) return like;
  for (const GuessedRow& row : rows)
    if (std::ranges::any_of(row.paths, is_clip)) {
      ++like.begin_with_clip;
      like.good += row.understood && is_clip(row.paths.front());
    }
  return like;
}

/// The first line of an error message, without the file's name.
std::string first_line(const std::string& what, const fs::path& file) {
  std::string line = what.substr(0, what.find('\n'));
  if (line.starts_with(file.string())) line.erase(0, file.string().size());
  while (!line.empty() && (line[0] == ',' || line[0] == ':' || line[0] == ' ')) line.erase(0, 1);
  return line;
}

}  // namespace

bool names_classes(const fs::path& file) {
  const std::vector<std::string> words = words_of(file.stem().string());
  const std::set<std::string> said{words.begin(), words.end()};
  for (const char* word : {"classes", "classind", "labels", "categories", "category", "names"})
    if (said.contains(word)) return true;
  return said.contains("label") && said.contains("map");
}

ListSearch::ListSearch(const fs::path& root, const DatasetSettings& settings) {
  for (const fs::path& folder : {root, root / "annotations", root / "splits"}) {
    if (!fs::is_directory(folder)) continue;
    for (const std::string& name : list_folder(folder).files) look_at(root, folder / name, settings);
  }
}

void ListSearch::look_at(const fs::path& root, const fs::path& file, const DatasetSettings& settings) {
  const std::string extension = lower_extension(file);
  if (extension != ".txt" && extension != ".csv" && extension != ".lst" && extension != ".list") return;
  if (file.filename() == kIndexFile || names_classes(file)) return;
  const int fold = fold_of_list(file);
  if (fold != 0 && fold != settings.fold) {
    other_folds = true;
    return;
  }
  MediaFolder media(root, file.parent_path(), settings);
  std::string all;
  try {
    all = read_list_text(file);
  } catch (const FileError& error) {
    if (is_called_list(file)) throw;
    set_aside(file, first_line(error.what(), file), false);
    return;
  }
  try {
    FoundList found{file, parse_annotation_list(all, file), split_of_list(file)};
    std::vector<std::string> paths;
    for (const AnnotationRow& row : found.list.rows) paths.push_back(row.path);
    if (media.choose(paths))
      lists.push_back(std::move(found));
    else
      set_aside(file, text("\"", paths.front(), "\" does not exist in ", media.tried()), false);
  } catch (const FileError& error) {
    const Likeness like = likeness_of(all, media);
    if (is_called_list(file) ? like.begin_with_clip > 0 : like.good > 0 && 2 * like.good >= like.rows) throw;
    set_aside(file, first_line(error.what(), file), 2 * like.begin_with_clip > like.rows);
  }
}

void ListSearch::set_aside(const fs::path& file, const std::string& why, bool looks_like_list) {
  not_lists.push_back(text(file.filename().string(), " (", why, ")"));
  const std::optional<Split> part = split_of_list(file);
  if (part || looks_like_list) meant.push_back(not_lists.back());
  if (part) lost.emplace(*part, not_lists.back());
}

}  // namespace laban
