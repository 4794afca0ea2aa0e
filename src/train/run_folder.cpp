#include "train/run_folder.h"

#include "core/error.h"

namespace laban {

namespace fs = std::filesystem;

bool RunFolder::has_run() const {
  std::error_code ignored;
  for (const fs::path& file : {config(), metrics(), last(), best()})
    if (fs::exists(file, ignored)) return true;
  return false;
}

void RunFolder::require_free(bool overwrite) const {
  if (has_run() && !overwrite)
    throw UsageError(text(path.string(), " already holds a run"),
                     text("Resume it with `laban train --resume ", path.string(),
                          "`, replace it with --overwrite, or choose another --run."));
}

void RunFolder::create(bool overwrite) const {
  require_free(overwrite);
  std::error_code code;
  fs::create_directories(path, code);
  if (code || !fs::is_directory(path))
    throw FileError(path.string(), text("cannot be made: ", code ? code.message() : "a file is in the way"),
                    "Choose another folder with --run.");
  for (const fs::path& file : {config(), metrics(), data(), last(), best()}) fs::remove(file, code);
  for (const char* split : {"train", "val", "test"})
    for (const bool single_frame : {false, true}) fs::remove(evaluation(split, single_frame), code);
}

fs::path RunFolder::to_evaluate() const {
  if (fs::exists(best())) return best();
  if (fs::exists(last())) return last();
  throw UsageError(
      text("there is no checkpoint in ", path.string()),
      "Give the folder that `laban train` wrote (--run), or a checkpoint itself (--checkpoint).");
}

RunFolder RunFolder::unused(const fs::path& base) {
  RunFolder folder{base};
  for (int number = 2; folder.has_run(); ++number) folder.path = text(base.string(), "-", number);
  return folder;
}

}  // namespace laban
