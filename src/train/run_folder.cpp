#include "train/run_folder.h"

#include "core/error.h"
#include "core/files.h"
#include "train/config/config.h"

namespace laban {

namespace fs = std::filesystem;

namespace {

/// A link counts, wherever it points.
bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(file, ignored));
}

/// Something in metrics.jsonl: a step was made, so there was a checkpoint once.
bool has_metrics(const RunFolder& run) {
  std::error_code failed;
  if (!is_there(run.metrics())) return false;
  const auto bytes = fs::file_size(run.metrics(), failed);
  return failed || bytes > 0;
}

bool is_runs_config(const fs::path& file) {
  std::error_code failed;
  try {
    return fs::is_regular_file(file, failed) && read_file(file).starts_with(kConfigHeader);
  } catch (const FileError&) {
    return false;
  }
}

}  // namespace

bool RunFolder::has_run() const {
  if (is_there(last()) || is_there(best()) || has_metrics(*this)) return true;
  for (const char* split : {"train", "val", "test", "all"})
    for (const bool single_frame : {false, true})
      if (is_there(evaluation(split, single_frame))) return true;
  // What a run writes before it begins to train; the config is the first of it.
  return is_there(config()) ? !is_runs_config(config()) : is_there(data());
}

bool RunFolder::has_not_begun() const { return is_there(config()) && !has_run(); }

void RunFolder::require_free(bool overwrite) const {
  if (has_run() && !overwrite)
    throw UsageError(text(path.string(), " already contains a run"),
                     text("Continue it with `laban train --resume ", path.string(),
                          "`, replace it with --overwrite, or choose another --run."));
}

void RunFolder::create(bool overwrite) const {
  require_free(overwrite);
  std::error_code code;
  fs::create_directories(path, code);
  if (code || !fs::is_directory(path))
    throw FileError(path.string(),
                    text("cannot create the folder: ", code ? code.message() : "a file of that name exists"),
                    "Choose another folder with --run.");
  const FolderUse replacing(path, FolderUse::Kind::replace);
  for (const fs::path& file : {config(), metrics(), data(), last(), best(), floor(), recipe()})
    fs::remove(file, code);
  for (const char* split : {"train", "val", "test", "all"})
    for (const bool single_frame : {false, true}) fs::remove(evaluation(split, single_frame), code);
}

fs::path RunFolder::to_evaluate() const {
  if (fs::exists(best())) return best();
  if (fs::exists(last())) return last();
  throw UsageError(
      text("there is no checkpoint in ", path.string()),
      "Give the folder that `laban train` wrote (--run), or a checkpoint itself (--checkpoint).");
}

HeldRun hold_unused_folder(const fs::path& base, std::string_view activity) {
  for (int number = 1;; ++number) {
    const RunFolder folder{number == 1 ? base : fs::path(text(base.string(), "-", number))};
    if (folder.has_run()) continue;
    try {
      HeldRun held{folder, FolderLock(folder.path, activity)};
      if (!folder.has_run()) return held;  // no other process was faster
    } catch (const FolderInUse&) {
    }
  }
}

}  // namespace laban
