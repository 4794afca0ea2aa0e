#include "cli/options.h"

#include <algorithm>
#include <cstdio>

#include "cli/printable.h"
#include "core/error.h"
#include "core/processors.h"
#include "core/text.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "data/video/video_index_store.h"
#include "reference/reference_backend.h"
#include "train/config/renamed.h"
#include "train/config/words.h"

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
                                   {"index-cache", PathKind::file, "FILE"}};

/// What help says of a setting beyond its sentence: a name for the value, what is allowed, the default.
void describe(Argument& argument, const Setting& setting) {
  std::string shown = setting.default_text();
  if (std::holds_alternative<Setting::Flag>(setting.value))
    shown = shown == "true" ? "on" : "off";
  else if (const std::vector<std::string> words = setting.choices(); !words.empty())
    argument.choices(words);
  else
    argument.allowed(setting.range());
  if (std::holds_alternative<Setting::Whole>(setting.value)) argument.value("N");
  if (std::holds_alternative<Setting::Size>(setting.value)) argument.value("SIZE");
  if (std::holds_alternative<Setting::Number>(setting.value)) argument.value("X");
  if (std::holds_alternative<Setting::Numbers>(setting.value)) argument.value("X,...");
  if (std::holds_alternative<Setting::Words>(setting.value)) argument.value("NAME,...");
  if (std::holds_alternative<Setting::Scales>(setting.value)) argument.value("NAME=X,...");
  argument.group("Settings [" + setting.section + "]").shown_default(shown);
  for (const PathFlag& path : kPathFlags)
    if (setting.flag == path.flag) argument.path(path.kind).value(path.value);
}

void print_note(const Backend& backend) {
  if (const std::string note = backend.note(); !note.empty())
    std::fprintf(stderr, "note: %s\n", printable(note).c_str());
}

}  // namespace

void ConfigFlags::add_to(Command& command, const std::vector<std::string>& only) {
  Config defaults;
  for (const Setting& setting : settings(defaults)) {
    if (!only.empty() && std::ranges::find(only, setting.flag) == only.end()) continue;
    Argument& argument = add(command, setting);
    describe(argument, setting);
    for (const RenamedSetting& renamed : renamed_settings())
      if (setting.flag == renamed.flag) argument.alias(std::string("--") + renamed.old_flag);
  }
}

Argument& ConfigFlags::add(Command& command, const Setting& setting) {
  const std::string flag = setting.flag, spelling = "--" + flag;
  if (std::holds_alternative<Setting::Flag>(setting.value))
    return command.add_switch(
        spelling + ",--no-" + flag,
        [this, flag](bool on, const std::string&) { values_.emplace_back(flag, on ? "true" : "false"); },
        setting.help);
  return command.add_text(
      flag == "data" ? "DATA," + spelling : spelling,
      [this, flag, spelling](const std::string& value, const std::string& given) {
        if (given != spelling && given.starts_with("--"))
          std::fprintf(stderr, "note: %s is now %s\n", given.c_str(), spelling.c_str());
        values_.emplace_back(flag, value);
      },
      setting.help);
}

void ConfigFlags::apply(Config& config) const {
  // A preset first: the other flags go beyond it, wherever they stand.
  for (const bool preset : {true, false})
    for (const auto& [flag, value] : values_)
      if ((flag == "preset") == preset) apply_flag(config, flag, value);
  set_decode_limits(config.data.limits);
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

CpuSettings cpu_settings(const Config& config) {
  CpuSettings settings{.threads = config.machine.threads};
  if (config.machine.isa != CpuKernels::automatic) settings.isa = cpu::isa_named(word_of(config.machine.isa));
  return settings;
}

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
  auto backend = std::make_unique<CpuBackend>(cpu_settings(config));
  print_note(*backend);
  return backend;
}

void choose_threads(Config& config) {
  if (config.machine.threads == 0) config.machine.threads = CpuBackend::default_threads();
  if (config.data.workers == 0) config.data.workers = available_processors();
}

void choose_device(Config& config) {
  Config::Machine& machine = config.machine;
  if (machine.device != DeviceKind::automatic) return;
  if (machine.precision == Precision::f64)
    throw UsageError("--precision f64 needs --device reference",
                     "Only the reference computes in f64 (slowly), and --device auto never chooses it.");
  const CudaStatus status = cuda_status(machine.gpu);
  if (machine.precision == Precision::tf32 && !status.works)
    throw UsageError(text("--precision tf32 needs a GPU: ", status.reason),
                     "TF32 is a format of NVIDIA's tensor cores; use --precision f32.");
  machine.device = status.works ? DeviceKind::cuda : DeviceKind::cpu;
  std::fprintf(stderr, "device: %s (%s)\n", word_of(machine.device), status.reason.c_str());
}

std::string split_sizes(const Dataset& dataset) {
  std::string sizes;
  for (const Split split : {Split::train, Split::val, Split::test})
    sizes += text(sizes.empty() ? "" : ", ", kSplitNames[static_cast<size_t>(split)], " ",
                  dataset.of(split).size());
  return sizes + " clips";
}

void print_notes(const Dataset& dataset) {
  for (const std::string& note : dataset.notes) std::fprintf(stderr, "note: %s\n", printable(note).c_str());
}

std::vector<std::string> dataset_flags() { return flags_with(Role::dataset); }
std::vector<std::string> limit_flags() { return {"max-pixels", "max-scans", "max-decode-time"}; }

}  // namespace laban::tools
