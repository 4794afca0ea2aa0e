#include "cli/options.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "core/processors.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "data/video/video_index_store.h"
#include "reference/reference_backend.h"
#include "train/config/renamed.h"

namespace laban::tools {

namespace {

/// "frames per clip (1 to 4096) [16]"
std::string description(const Setting& setting) {
  const std::string value = setting.default_text();
  return setting.description() + (value.empty() ? "" : " [" + value + "]");
}

}  // namespace

void ConfigFlags::add_to(CLI::App& command, const std::vector<std::string>& only) {
  Config defaults;
  for (const Setting& setting : settings(defaults)) {
    if (!only.empty() && std::ranges::find(only, setting.flag) == only.end()) continue;
    add(command, setting, setting.flag);
    for (const RenamedSetting& renamed : renamed_settings())
      if (setting.flag == renamed.flag) add(command, setting, renamed.old_flag);
  }
}

void ConfigFlags::add(CLI::App& command, const Setting& setting, const std::string& name) {
  const bool retired = name != setting.flag;
  const auto take = [this, flag = setting.flag, name, retired](const std::string& value) {
    if (retired) std::fprintf(stderr, "note: --%s is now --%s\n", name.c_str(), flag.c_str());
    values_.emplace_back(flag, value);
  };
  CLI::Option* option = nullptr;
  if (std::holds_alternative<Setting::Flag>(setting.value)) {
    option = command.add_flag_function(
        "--" + name + ",!--no-" + name, [take](int64_t count) { take(count > 0 ? "true" : "false"); },
        description(setting));
  } else {
    option = command.add_option_function<std::string>("--" + name, take, description(setting));
    option->type_name("");
  }
  option->group(retired ? "" : "Settings [" + setting.section + "]");
}

void ConfigFlags::apply(Config& config) const {
  // A preset first: the other flags go beyond it, wherever they stand.
  for (const bool preset : {true, false})
    for (const auto& [flag, value] : values_)
      if ((flag == "preset") == preset) apply_flag(config, flag, value);
}

std::vector<std::string> ConfigFlags::given() const {
  std::vector<std::string> flags;
  for (const auto& [flag, value] : values_) flags.push_back(flag);
  return flags;
}

bool ConfigFlags::has(const std::string& flag) const {
  return std::ranges::find(values_, flag, [](const auto& value) { return value.first; }) != values_.end();
}

void keep_index_apart(Config& config) {
  const std::filesystem::path data = config.data.path;
  std::error_code failed;
  const std::filesystem::path root = std::filesystem::is_directory(data, failed) ? data : data.parent_path();
  if (config.data.index_cache == "auto" && !has_index_store(root)) config.data.index_cache = "user";
}

namespace {

void print_note(const Backend& backend) {
  if (const std::string note = backend.note(); !note.empty())
    std::fprintf(stderr, "note: %s\n", note.c_str());
}

}  // namespace

std::unique_ptr<Backend> make_backend(const Config& config) {
  if (config.machine.device == DeviceKind::reference) return std::make_unique<ReferenceBackend>();
  if (config.machine.device == DeviceKind::cuda) {
    auto backend = make_cuda_backend({.gpu = config.machine.gpu,
                                      .tf32 = config.machine.precision == Precision::tf32,
                                      .deterministic = config.machine.deterministic,
                                      .autotune = config.machine.autotune,
                                      .exact_weights = config.machine.exact_weights,
                                      .graph = config.machine.graph,
                                      .plans = default_plan_file()});
    print_note(*backend);
    return backend;
  }
  auto backend = std::make_unique<CpuBackend>(config.machine.threads);
  print_note(*backend);
  return backend;
}

void choose_threads(Config& config) {
  if (config.machine.threads == 0) config.machine.threads = CpuBackend::default_threads();
  if (config.data.workers == 0) config.data.workers = available_processors();
}

std::string split_sizes(const Dataset& dataset) {
  std::string sizes;
  for (const Split split : {Split::train, Split::val, Split::test})
    sizes += text(sizes.empty() ? "" : ", ", kSplitNames[static_cast<size_t>(split)], " ",
                  dataset.of(split).size());
  return sizes + " clips";
}

void print_notes(const Dataset& dataset) {
  for (const std::string& note : dataset.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
}

std::vector<std::string> dataset_flags() { return flags_with(Role::dataset); }

std::string percent(double share) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.1f %%", 100 * share);
  return buffer;
}

}  // namespace laban::tools
