#include "cli/options.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "core/processors.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "data/video/video_index_store.h"
#include "reference/reference_backend.h"

namespace laban::tools {

void ConfigFlags::add_to(CLI::App& command, const std::vector<std::string>& only) {
  Config defaults;
  for (const Setting& setting : settings(defaults)) {
    if (!only.empty() && std::ranges::find(only, setting.flag) == only.end()) continue;
    const std::string flag = setting.flag;
    CLI::Option* option = nullptr;
    if (std::holds_alternative<Setting::Flag>(setting.value)) {
      option = command.add_flag_function(
          "--" + flag + ",!--no-" + flag,
          [this, flag](int64_t count) { values_.emplace_back(flag, count > 0 ? "true" : "false"); },
          setting.help);
    } else {
      option = command.add_option_function<std::string>(
          "--" + flag, [this, flag](const std::string& value) { values_.emplace_back(flag, value); },
          setting.help + " [" + setting.toml() + "]");
      option->type_name("");
    }
    option->group("Settings [" + setting.section + "]");
  }
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

void keep_packets_apart(Config& config) {
  const std::filesystem::path data = config.data.path;
  std::error_code failed;
  const std::filesystem::path root = std::filesystem::is_directory(data, failed) ? data : data.parent_path();
  if (config.data.packet_cache == "auto" && !has_packet_store(root)) config.data.packet_cache = "user";
}

namespace {

void print_note(const Backend& backend) {
  if (const std::string note = backend.note(); !note.empty())
    std::fprintf(stderr, "note: %s\n", note.c_str());
}

}  // namespace

std::unique_ptr<Backend> make_backend(const Config& config) {
  if (config.machine.device == "reference") return std::make_unique<ReferenceBackend>();
  if (config.machine.device == "cuda") {
    auto backend = make_cuda_backend({.gpu = static_cast<int>(config.machine.gpu),
                                      .tf32 = config.machine.precision == "tf32",
                                      .deterministic = config.machine.deterministic,
                                      .autotune = config.machine.autotune,
                                      .exact_weights = config.machine.exact_weights,
                                      .graph = config.machine.graph,
                                      .plans = default_plan_file()});
    print_note(*backend);
    return backend;
  }
  auto backend = std::make_unique<CpuBackend>(static_cast<int>(config.machine.threads));
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

std::vector<std::string> dataset_flags() {
  return {"layout", "media", "frames-named", "fold", "split-seed", "train-share", "validate-share"};
}

std::vector<std::string> transform_flags() {
  return {"preset",
          "size",
          "scale",
          "short-side-min",
          "short-side-max",
          "area",
          "aspect",
          "stretch-width",
          "stretch-height",
          "flip",
          "flip-vertically",
          "brightness",
          "contrast",
          "saturation",
          "hue",
          "rand-augment",
          "rand-magnitude",
          "erase",
          "mean",
          "std"};
}

std::string percent(double share) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%.1f %%", 100 * share);
  return buffer;
}

}  // namespace laban::tools
