#include "train/log/metrics.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/error.h"
#include "core/files.h"

namespace laban {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing) {
  throw FileError(path.string(), text(doing, ": ", std::generic_category().message(errno)),
                  "Check that the folder is writable and its disk is not full.");
}

}  // namespace

MetricsLog::MetricsLog(std::filesystem::path path, uint64_t keep) : path_(std::move(path)) {
  file_ = open_to_append(path_);
  struct stat status {};
  // A log that is shorter than recorded in the checkpoint (because somebody removed or cut it) continues after its
  // last whole row.
  if (::fstat(file_.get(), &status) == 0)
    bytes_ = std::min<uint64_t>(keep, static_cast<uint64_t>(status.st_size));
  if (bytes_ < keep) bytes_ = read_file(path_).substr(0, bytes_).rfind('\n') + 1;
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0)
    fail(path_, "cannot truncate it to the last checkpoint");
}

void MetricsLog::add(const StepReport& row) {
  append(Json{{"kind", "step"},
              {"epoch", row.epoch},
              {"step", row.step},
              {"loss", row.loss},
              {"accuracy", row.accuracy},
              {"lr", row.lr},
              {"gradient_norm", row.gradient_norm},
              {"clips_per_second", row.clips_per_second},
              {"waiting", row.waiting},
              {"seconds", row.seconds}}
             .dump());
}

void MetricsLog::add(const EpochReport& row) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
  };
  Json json{{"kind", "epoch"},
            {"epoch", row.epoch},
            {"step", row.step},
            {"train_loss", row.train_loss},
            {"train_accuracy", row.train_accuracy},
            {"val_loss", optional(row.val_loss)},
            {"val_accuracy", optional(row.val_accuracy)},
            {"val_macro_f1", optional(row.val_macro_f1)},
            {"val_balanced_accuracy", optional(row.val_balanced_accuracy)},
            {"best", row.best},
            {"lr", row.lr},
            {"seconds", row.seconds}};
  if (!row.val_classes.empty()) {  // columns, in the order of the classes
    const auto ends = [](const std::optional<Interval>& ci) {
      return ci ? Json::array({ci->low, ci->high}) : Json(nullptr);
    };
    Json recall = Json::array(), recall_ci95 = recall, precision = recall, precision_ci95 = recall;
    for (const ClassResult& c : row.val_classes) {
      recall.push_back(c.accuracy);
      recall_ci95.push_back(ends(c.ci95));
      precision.push_back(c.precision);
      precision_ci95.push_back(ends(c.precision_ci95));
    }
    json["val_recall"] = std::move(recall);
    json["val_recall_ci95"] = std::move(recall_ci95);
    json["val_precision"] = std::move(precision);
    json["val_precision_ci95"] = std::move(precision_ci95);
  }
  append(json.dump());
}

void MetricsLog::append(const std::string& line) {
  const std::string bytes = line + "\n";
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written = ::write(file_.get(), bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno != EINTR) fail(path_, "cannot write to it");
    if (written > 0) done += static_cast<size_t>(written);
  }
  bytes_ += bytes.size();
}

uint64_t MetricsLog::flush() {
  if (::fsync(file_.get()) != 0) fail(path_, "cannot flush it to disk");
  return bytes_;
}

}  // namespace laban
