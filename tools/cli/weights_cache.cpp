#include "cli/weights_cache.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cli/interrupt.h"
#include "cli/printable.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/error.h"
#include "core/nearest_names.h"
#include "core/text.h"
#include "download/download.h"
#include "models/families.h"
#include "weights/load.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

const char* set_variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

/// "SHA-256 0123..., as published"; throws where it is not.
std::string verified(const WantedFile& wanted, const fs::path& file) {
  const std::string sha256 = sha256_of(file);
  if (!sha256.starts_with(wanted.sha256))
    throw FileError(file.string(),
                    text("is not ", wanted.name, ": its SHA-256 is ", sha256, ", but ", wanted.sha256,
                         wanted.sha256.size() < 64 ? "... is published" : " is wanted"));
  return text("SHA-256 ", sha256, wanted.sha256.empty() ? "; none is published" : ", as it should be");
}

void require_weights(const WantedFile& wanted, const fs::path& file) {
  const StateDict state = StateDict::read(file);
  if (!wanted.weights) return;
  ModelSpec spec = model_by_name(wanted.weights->model, wanted.weights->classes);
  spec.options = wanted.weights->options;
  require_fit(state, spec, HeadPolicy::must_fit);
}

/// A bar in MiB.
class Bar {
 public:
  Bar(std::string title) : title_(std::move(title)), start_(Clock::now()) {}
  bool update(int64_t done, int64_t total) {
    if (first_ < 0) first_ = done;
    if (total > 0 && !progress_) progress_.emplace(title_, std::max<int64_t>(1, total >> 20));
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double rate = seconds > 0.5 ? static_cast<double>(done - first_) / seconds : 0;
    if (progress_)
      progress_->update(done >> 20, {text("MiB"), rate > 0 ? mebibytes(rate) + "/s" : std::string()});
    return !interrupted();
  }
  void finish() {
    if (progress_) progress_->finish({"MiB"});
  }

 private:
  std::string title_;
  Clock::time_point start_;
  int64_t first_ = -1;
  std::optional<Progress> progress_;
};

std::vector<std::string> names_of_weights() {
  std::vector<std::string> names;
  for (const PublicWeights& weights : public_weights()) names.push_back(weights.name);
  return names;
}

}  // namespace

fs::path weights_folder() {
  if (const char* own = set_variable("LABAN_WEIGHTS")) return own;
  if (const char* cache = set_variable("XDG_CACHE_HOME")) return fs::path(cache) / "laban" / "weights";
  if (const char* home = set_variable("HOME")) return fs::path(home) / ".cache" / "laban" / "weights";
  throw UsageError("there is no folder for weights: none of LABAN_WEIGHTS, XDG_CACHE_HOME and HOME is set",
                   "Set LABAN_WEIGHTS, or give --cache DIR.");
}

WantedFile published(const PublicWeights& weights) {
  return {weights.name, weights.address, weights.file, weights.sha256, &weights};
}

fs::path get_weights(const WantedFile& wanted, const fs::path& folder) {
  const fs::path file = folder / wanted.file;
  std::error_code failed;
  if (fs::exists(file, failed)) {
    try {
      const std::string sha256 = verified(wanted, file);
      require_weights(wanted, file);
      std::fprintf(stderr, "%s is there already: %s\n", printable(file.string()).c_str(), sha256.c_str());
      return file;
    } catch (const FileError& error) {
      throw Error(text("what is there already is not ", wanted.name, ": ", error.sentence()),
                  text("Remove ", shell_word(file.string()), ", then the same command downloads it."));
    }
  }
  const std::string by_hand = text("Download it on another machine, and copy it to ", file.string(),
                                   "; `laban weights get` then checks it.");
  if (wanted.weights && !wanted.weights->direct && wanted.address == wanted.weights->address)
    throw Error(
        text(wanted.name, " cannot be downloaded by a program: it is linked on the page ", wanted.address),
        text("Download ", wanted.file, " with a browser and copy it to ", file.string(), "."));
  fs::create_directories(folder, failed);
  if (failed)
    throw FileError(folder.string(), "cannot be made: " + failed.message(), "Give another --cache DIR.");
  std::fprintf(stderr, "downloading %s\n", printable(wanted.address).c_str());
  install_interrupt_handler();
  fs::path partial = file;
  partial += ".part";
  Bar bar(text("getting ", wanted.file));
  const auto leave_nothing_empty = [&] {
    if (fs::file_size(partial, failed) == 0) fs::remove(partial, failed);
  };
  try {
    if (!download(wanted.address, partial,
                  [&](int64_t done, int64_t total) { return bar.update(done, total); }))
      throw Error(text("stopped; what has come is kept in ", partial.string()),
                  "The same command continues.");
  } catch (const FileError&) {
    throw;
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    leave_nothing_empty();
    if (interrupted()) throw;
    throw Error(error.sentence(), text(error.advice(), "\n  ", by_hand));
  }
  bar.finish();
  std::string sha256;
  try {
    sha256 = verified(wanted, partial);
    require_weights(wanted, partial);
  } catch (const FileError& error) {
    fs::remove(partial, failed);
    throw Error(text("what came from ", wanted.address, " is not ", wanted.name,
                     " and was removed: ", error.sentence()),
                "Is the address right? A page that asks for a login may have come in its place.");
  }
  fs::rename(partial, file, failed);
  if (failed) throw FileError(file.string(), "cannot be written: " + failed.message());
  std::fprintf(stderr, "%s: %s\n", printable(file.string()).c_str(), sha256.c_str());
  return file;
}

std::string did_you_mean_weights(const std::string& name) {
  const std::vector<std::string> near = nearest_names(name, names_of_weights());
  return text(near.empty() ? "" : text("Did you mean ", join(near, " or "), "? "),
              "`laban weights list` has them all.");
}

std::string weights_file(const std::string& given) {
  std::error_code failed;
  if (given.empty() || fs::exists(given, failed)) return given;
  if (const PublicWeights* weights = public_weights_named(given)) {
    const fs::path file = weights_folder() / weights->file;
    return fs::exists(file, failed) ? file.string()
                                    : get_weights(published(*weights), weights_folder()).string();
  }
  // Is it meant as a name?
  const size_t slash = given.find('/');
  for (const std::string& name : names_of_weights())
    if (slash != given.npos && given.compare(0, slash + 1, name, 0, slash + 1) == 0)
      throw UsageError(text("--weights ", given, " is neither a file nor the name of public weights"),
                       did_you_mean_weights(given));
  return given;
}

}  // namespace laban::tools
