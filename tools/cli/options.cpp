#include "cli/options.h"

#include <algorithm>
#include <cstdio>

#include "core/error.h"
#include "core/processors.h"
#include "core/text.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "data/video/video_index_store.h"
#include "reference/reference_backend.h"

namespace laban::tools {

namespace {

/// The values that are paths, and what help calls them.
struct PathFlag {
  const char* flag;
  PathKind kind;
  const char* value;
};
constexpr PathFlag kPathFlags[] = {{"data", PathKind::any, ""},
                                   {"media", PathKind::folder, "DIR"},
                                   {"weights", PathKind::file, "FILE"},
                                   {"features", PathKind::file, "FILE"},
                                   {"packet-cache", PathKind::file, "FILE"}};

/// "1 to 4096", as Argument::range has it.
template <class T>
std::string range_text(T low, T high) {
  return static_cast<double>(high) >= 1e6 ? text("at least ", low) : text(low, " to ", high);
}

/// What help says of a setting beyond its sentence: a name for the value, what is allowed, the default.
void describe(Argument& argument, const Setting& setting) {
  std::string shown = setting.toml();
  if (const auto* whole = std::get_if<Setting::Whole>(&setting.value)) {
    argument.value("N").allowed(range_text(whole->low, whole->high));
  } else if (const auto* number = std::get_if<Setting::Number>(&setting.value)) {
    argument.value("X").allowed(range_text(number->low, number->high));
    shown = text(*number->target);
  } else if (const auto* word = std::get_if<Setting::Word>(&setting.value)) {
    argument.choices(word->choices);
    shown = *word->target;
  } else if (const auto* numbers = std::get_if<Setting::Numbers>(&setting.value)) {
    argument.value("X,...");
    shown = join(*numbers->target, ",");
  } else if (std::holds_alternative<Setting::Words>(setting.value)) {
    argument.value("NAME,...");
    shown = "";
  } else if (std::holds_alternative<Setting::Scales>(setting.value)) {
    argument.value("NAME=X,...");
    shown = "";
  } else {
    shown = *std::get<Setting::Flag>(setting.value).target ? "on" : "off";
  }
  argument.group("Settings [" + setting.section + "]").shown_default(shown);
  for (const PathFlag& path : kPathFlags)
    if (setting.flag == path.flag) argument.path(path.kind).value(path.value);
}

void print_note(const Backend& backend) {
  if (const std::string note = backend.note(); !note.empty())
    std::fprintf(stderr, "note: %s\n", note.c_str());
}

}  // namespace

void ConfigFlags::add_to(Command& command, const std::vector<std::string>& only) {
  Config defaults;
  for (const Setting& setting : settings(defaults)) {
    if (!only.empty() && std::ranges::find(only, setting.flag) == only.end()) continue;
    const std::string flag = setting.flag;
    Argument& argument =
        std::holds_alternative<Setting::Flag>(setting.value)
            ? command.add_switch(
                  "--" + flag + ",--no-" + flag,
                  [this, flag](bool on) { values_.emplace_back(flag, on ? "true" : "false"); }, setting.help)
            : command.add_text(
                  flag == "data" ? "DATA,--data" : "--" + flag,
                  [this, flag](const std::string& value) { values_.emplace_back(flag, value); },
                  setting.help);
    describe(argument, setting);
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

void choose_device(Config& config) {
  const std::string& precision = config.machine.precision;
  if (config.machine.device != "auto") return;
  if (precision == "f64")
    throw UsageError("--precision f64 needs --device reference",
                     "Only the reference computes in f64 (slowly), and --device auto never chooses it.");
  const CudaStatus status = cuda_status(static_cast<int>(config.machine.gpu));
  if (precision == "tf32" && !status.works)
    throw UsageError(text("--precision tf32 needs a GPU: ", status.reason),
                     "TF32 is a format of NVIDIA's tensor cores; use --precision f32.");
  config.machine.device = status.works ? "cuda" : "cpu";
  std::fprintf(stderr, "device: %s (%s)\n", config.machine.device.c_str(), status.reason.c_str());
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

}  // namespace laban::tools
