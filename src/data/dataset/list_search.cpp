#include "data/dataset/list_search.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/utf8.h"
#include "data/dataset/layouts.h"
#include "data/picture/image_folder.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

/// The word that tells which split a list is for.
std::optional<SplitWord> split_word_of_list(const fs::path& file) {
  return split_word_in(file.stem().string());
}

bool is_annotation_text(const fs::path& file) {
  const std::string extension = lower_extension(file);
  return extension == ".txt" || extension == ".csv" || extension == ".tsv" || extension == ".lst" ||
         extension == ".list";
}

/// Formats in which others keep annotations, which laban does not read.
bool is_foreign_annotation(const fs::path& file) {
  constexpr std::array<std::string_view, 16> kForeign{".json", ".jsonl",  ".ndjson",  ".xml", ".yaml", ".yml",
                                                      ".pkl",  ".pickle", ".npy",     ".npz", ".mat",  ".xls",
                                                      ".xlsx", ".ods",    ".parquet", ".ann"};
  return std::ranges::find(kForeign, lower_extension(file)) != kForeign.end();
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
  if (split_word_of_list(file)) return true;
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

/// The names and stems of the clips below a folder, as a text would mention them.
std::set<std::string> clip_names_below(const fs::path& root) {
  constexpr size_t kMost = 500'000;
  constexpr int kDeepest = 4;
  std::set<std::string> names;
  std::error_code failed;
  for (fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, failed), end;
       !failed && at != end && names.size() < kMost; at.increment(failed)) {
    std::error_code broken;
    const bool folder = at->is_directory(broken);
    if (folder && at.depth() >= kDeepest) at.disable_recursion_pending();
    // A folder below a class folder may be a clip.
    if (!is_video_name(at->path()) && !(folder && at.depth() > 0)) continue;
    names.insert(at->path().filename().string());
    names.insert(at->path().stem().string());
  }
  return names;
}

/// What a file of any format says.
struct Mentions {
  size_t clips = 0;
  std::set<SplitWord> splits{};
};
Mentions mentions_in(const fs::path& root, const fs::path& file) {
  constexpr size_t kMost = size_t{1} << 24;
  std::string all = read_file(file);
  all.resize(std::min(all.size(), kMost));
  std::erase(all, '\0');  // UTF-16
  const std::set<std::string> names = clip_names_below(root);
  Mentions found;
  // Once with spaces as a part of names, once without.
  for (const std::string_view marks : {",;|\t\r\n:\"'[]{}()<>=", " ,;|\t\r\n:\"'[]{}()<>="}) {
    size_t clips = 0;
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find_first_of(marks, at), all.size());
      std::string token = all.substr(at, end - at);
      at = end + 1;
      if (const auto word = split_word(token)) found.splits.insert(*word);
      const fs::path path(token);
      clips += !token.empty() &&
               (names.contains(path.filename().string()) || names.contains(path.stem().string()));
    }
    found.clips = std::max(found.clips, clips);
  }
  return found;
}

/// split.csv is laban's own name for a table that assigns clips to splits.
bool is_called_split_table(const fs::path& file) {
  return std::ranges::any_of(words_of(file.stem().string()), [](const std::string& word) {
    return word == "split" || word == "splits" || word == "partition" || word == "partitions";
  });
}

/// Nothing but split words, and words for lists.
bool is_called_split_only(const fs::path& file) {
  if (!split_word_of_list(file)) return false;
  constexpr std::array<std::string_view, 16> kPlain{
      "list",       "lists",       "split", "splits", "set",   "fold",   "file", "files",
      "annotation", "annotations", "anno",  "videos", "video", "labels", "rgb",  "rawframes"};
  return std::ranges::all_of(words_of(file.stem().string()), [&](const std::string& word) {
    return split_word(word) || std::ranges::find(kPlain, word) != kPlain.end() ||
           word.find_first_not_of("0123456789") == std::string::npos;
  });
}

/// Most of its rows look like PATH LABEL, whether there are such clips or not.
bool has_rows_of_a_list(const fs::path& file) {
  try {
    const AnnotationList list = read_annotation_list(file);
    const auto like = std::ranges::count_if(list.rows, [](const AnnotationRow& row) {
      return is_video_name(row.path) || row.path.find('/') != std::string::npos;
    });
    return 2 * like > std::ssize(list.rows);
  } catch (const FileError&) {
    return false;
  }
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
  std::set<std::string> said{words.begin(), words.end()};
  for (size_t i = 1; i < words.size(); ++i) said.insert(words[i - 1] + words[i]);  // classInd, class_ind
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

bool assigns_splits(const fs::path& root, const fs::path& file) {
  if (is_called_split_only(file)) return true;
  const bool named = split_word_of_list(file).has_value() || is_called_split_table(file);
  if (split_word_of_list(file) && has_rows_of_a_list(file)) return true;
  const Mentions found = mentions_in(root, file);
  return named ? found.clips > 0 : found.clips > 1 && found.splits.size() > 1;
}

void ListSearch::look_at(const fs::path& root, const fs::path& file, const DatasetSettings& settings) {
  if (file.filename() == kIndexFile || names_classes(file)) return;
  if (!is_annotation_text(file)) {
    // A class folder's split may be in a form of others' tools.
    if (is_foreign_annotation(file) && (split_word_of_list(file) || is_called_split_table(file)))
      set_aside(root, file, "laban reads lists that are .txt, .csv, .tsv, .lst or .list", false);
    return;
  }
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
    set_aside(root, file, first_line(error.what(), file), false);
    return;
  }
  const std::optional<SplitWord> word = split_word_of_list(file);
  if (file.filename() == "split.csv" && !names_columns(all)) {
    set_aside(root, file, look_for_split_csv(root, settings).found, false);
    return;
  }
  try {
    FoundList found{file, parse_annotation_list(all, file), word};
    std::vector<std::string> paths;
    for (const AnnotationRow& row : found.list.rows) paths.push_back(row.path);
    if (media.choose(paths))
      lists.push_back(std::move(found));
    else
      set_aside(root, file,
                text("\"", visible(paths.front()), "\" does not exist in ", media.tried(),
                     is_utf8(all)
                         ? ""
                         : "; its text is not UTF-8: convert it, for instance with iconv -f latin1 -t utf8"),
                false);
  } catch (const FileError& error) {
    const Likeness like = likeness_of(all, media);
    if (is_called_list(file) ? like.begin_with_clip > 0 : like.good > 0 && 2 * like.good >= like.rows) throw;
    set_aside(root, file, first_line(error.what(), file), 2 * like.begin_with_clip > like.rows);
  }
}

void ListSearch::set_aside(const fs::path& root, const fs::path& file, const std::string& why,
                           bool looks_like_list) {
  not_lists.push_back(text(file.filename().string(), " (", why, ")"));
  const std::optional<SplitWord> word = split_word_of_list(file);
  if (word || looks_like_list || is_called_split_table(file)) meant.push_back(not_lists.back());
  if (!assigns_splits(root, file)) return;
  unread.push_back(not_lists.back());
  if (const auto part = word ? settle(*word, {}) : std::nullopt) lost.emplace(*part, not_lists.back());
}

}  // namespace laban
