// Tables of clips: split.csv, and the index written by `laban index`.
#include <algorithm>
#include <charconv>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "data/cache/shard.h"
#include "data/dataset/annotation_list.h"
#include "data/dataset/csv.h"
#include "data/dataset/layouts.h"
#include "data/dataset/split_names.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

int64_t number_of(const std::string& cell, const char* column, int64_t least, const std::string& where) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), number);
  if (error != std::errc{} || end != cell.data() + cell.size() || number < least || number > kMostFrameNumber)
    throw FileError(where, text("the ", column, " is \"", cell, "\""),
                    text("It must be an integer of at most 15 digits, and at least ", least, "; or empty."));
  return number;
}

}  // namespace

void read_table(Dataset& dataset, const fs::path& file, const DatasetSettings& settings) {
  Csv csv = read_csv(file);
  const size_t path = csv.require_column("path"), label = csv.require_column("label");
  const auto split = csv.column("split"), group = csv.column("group"), frames = csv.column("frames"),
             first = csv.column("first"), count = csv.column("count"), name = csv.column("name");
  const fs::path folder = file.parent_path();
  std::erase_if(csv.rows, [&](const Csv::Row& row) {
    std::error_code failed;
    return row.commented && !fs::exists(folder / fs::path(row.cells[path]), failed);
  });
  std::vector<std::string> split_cells;
  for (const Csv::Row& row : csv.rows) {
    refuse_negative_label(text(file.string(), ", line ", row.line), row.cells[label]);
    dataset.classes.push_back(row.cells[label]);
    if (split) split_cells.push_back(row.cells[*split]);
  }
  sort_unique(dataset.classes);
  const std::vector<SplitWord> words = split_words(split_cells);
  const std::set<std::string> labels(dataset.classes.begin(), dataset.classes.end());
  const std::string pattern =
      settings.filename_pattern.empty() ? "" : FilenamePattern::parse(settings.filename_pattern).pattern();
  MissingClips missing;
  for (const Csv::Row& row : csv.rows) {
    const std::string where = text(file.string(), ", line ", row.line);
    const auto cell = [&](std::optional<size_t> column) { return column ? row.cells[*column] : ""; };
    const fs::path clip = folder / fs::path(row.cells[path]);
    std::error_code failed;
    if (row.cells[label].empty()) throw FileError(where, "the label is empty", "Give every clip a label.");
    if (names_several(row.cells[label], labels)) refuse_labels(where, row.cells[label]);
    if (row.cells[path].empty())
      throw FileError(where, "the path is empty", "Give the clip's path, relative to the table's folder.");
    if (!fs::exists(clip, failed)) missing.add(file, row.line, row.cells[path]);
    DatasetItem item = make_item(dataset.root, clip,
                                 clip.extension() == kShardExtension ? ItemKind::cached
                                 : fs::is_directory(clip, failed)    ? ItemKind::frame_folder
                                                                     : ItemKind::video);
    item.label = label_of(dataset, row.cells[label]);
    if (split) item.split = split_in_cell(row.cells[*split], words, where);
    if (item.kind == ItemKind::frame_folder) item.filename_pattern = pattern;
    if (!cell(frames).empty()) {
      try {
        item.filename_pattern = FilenamePattern::parse(cell(frames)).pattern();
      } catch (const UsageError& error) {
        throw FileError(where, error.what());
      }
    }
    if (!cell(count).empty()) {
      item.range = {.count = number_of(cell(count), "count", 1, where)};
      if (!cell(first).empty()) item.range->first = number_of(cell(first), "first", 0, where);
    }
    item.name += range_suffix(item.range);
    if (!cell(name).empty()) item.name = cell(name);
    if (!cell(group).empty()) item.group = cell(group);
    dataset.items.push_back(std::move(item));
  }
  missing.settle(dataset, static_cast<int64_t>(csv.rows.size()), settings);
  if (!split) {
    draw_splits(dataset, settings);
  } else if (const SplitSettings none; settings.split != none) {
    dataset.notes.push_back(file.string() +
                            " says which clip is in which split: the split settings have no effect.");
  }
}

Look look_for_index(const fs::path& root, const DatasetSettings& settings) {
  if (!settings.use_index || !fs::is_regular_file(root / kIndexFile)) return {false, text("no ", kIndexFile)};
  return {true, kIndexFile};
}

void read_index(Dataset& dataset, const DatasetSettings& settings) {
  read_table(dataset, dataset.root / kIndexFile, settings);
}

Look look_for_split_csv(const fs::path& root, const DatasetSettings& settings) {
  const fs::path file = root / "split.csv";
  if (!fs::exists(file)) return {false, "no split.csv"};
  std::vector<std::string> lacking;
  std::string has;
  try {
    const Csv csv = read_csv(file);
    for (const char* column : {"path", "label", "split"})
      if (!csv.column(column)) lacking.emplace_back(column);
    for (const std::string& column : csv.columns) has += (has.empty() ? "" : ", ") + visible(column);
  } catch (const FileError&) {
    // Asked for by name, it is read for its error; so is one whose rows are wrong. Others' tables are left to lists.
    const std::string all = read_file(file);
    const std::string header = all.substr(0, all.find('\n'));
    const bool ours = header.find("path") != std::string::npos && header.find("label") != std::string::npos;
    if (all.empty() || ours || settings.layout == "csv") return {true, "split.csv"};
    return {false, "a split.csv that is no table"};
  }
  // With paths and labels it is meant for laban, and reading it says what it lacks.
  const bool ours = std::ranges::find(lacking, "path") == lacking.end() &&
                    std::ranges::find(lacking, "label") == lacking.end();
  if (ours || settings.layout == "csv") return {true, "split.csv"};
  return {false, text("a split.csv without the column", lacking.size() > 1 ? "s " : " ", some_of(lacking),
                      "; its columns are ", has)};
}

void read_split_csv(Dataset& dataset, const DatasetSettings& settings) {
  const fs::path file = dataset.root / "split.csv";
  read_csv(file).require_column("split");
  read_table(dataset, file, settings);
}

}  // namespace laban
