#include "cli/trained_network.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/printable.h"
#include "cli/weights_notes.h"
#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/utf8.h"
#include "cuda/make_backend.h"
#include "models/families.h"
#include "train/log/json_fields.h"
#include "train/run_folder.h"
#include "weights/load.h"

namespace laban::tools {
namespace {

constexpr Roles kClips = Role::sampling | Role::picture;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

Config adjusted(Config config, const ConfigFlags& flags, NetworkUse use) {
  // Of this machine, not of the one that trained.
  config.machine.threads = config.data.workers = 0;
  config.machine.isa = CpuKernels::automatic;
  flags.apply(config);
  if (use == NetworkUse::weights) {  // f64 holds all of them unrounded
    config.machine.device = DeviceKind::reference;
    config.machine.precision = Precision::f64;
  }
  choose_threads(config);
  // What was trained on a GPU can be used without one.
  if (config.machine.device == DeviceKind::cuda && !has(flags.given(), "device") &&
      !cuda_status(config.machine.gpu).works)
    config.machine.device = DeviceKind::automatic;
  choose_device(config);
  resolve(config);
  return config;
}

/// "size 64 (trained with 112), scale stretch (trained with short-side)"; empty where nothing differs.
std::string changes(const Config& trained, const Config& now) {
  std::map<std::string, std::string> before;
  for (const auto& [flag, value] : clip_settings(trained)) before[flag] = value;
  std::string list;
  for (const auto& [flag, value] : clip_settings(now))
    if (const auto found = before.find(flag); found == before.end())
      append(list, flag + " " + value);
    else if (found->second != value)
      append(list, text(flag, " ", value, " (trained with ", found->second, ")"));
  return list;
}

TrainedNetwork from_checkpoint(const NetworkSource& source, NetworkUse use) {
  for (const std::string& flag : source.flags.given())
    if (!roles_of(flag).any(Role::inference | Role::dataset | kClips))
      throw UsageError(text("--", flag, " goes with --weights only"), "A checkpoint knows its model.");
  if (!source.class_names.empty())
    throw UsageError("--class-names goes with --weights only",
                     "A checkpoint knows the names of its classes.");
  const Checkpoint file(source.run.empty() ? source.checkpoint
                                           : RunFolder{source.run}.to_evaluate().string());
  CheckpointInfo info = file.info();
  const Config made = info.config;
  TransformSettings& view = info.config.clip.transform;
  if (source.flags.has("size")) view.short_side_min = view.short_side_max = 0;  // they follow it
  info.config = adjusted(info.config, source.flags, use);
  const std::string changed = changes(made, info.config);
  if (!changed.empty())
    std::fprintf(stderr, "note: other clips than %s was trained with: %s\n",
                 printable(file.path().string()).c_str(), changed.c_str());
  require_fit(StateDict::read(file.path()),
              model_spec(info.config, static_cast<int64_t>(info.classes.size())), HeadPolicy::must_fit);
  TrainedNetwork trained(std::move(info), file.path().string());
  trained.clips_changed = !changed.empty();
  file.load_weights(trained.network->store());
  return trained;
}

/// One name a line; or what laban noted when it exported the weights. Empty where neither is there.
std::vector<std::string> class_names(const NetworkSource& source, const StateDict& state, int64_t classes) {
  std::vector<std::string> names;
  std::string origin = source.class_names;
  if (!origin.empty()) {
    std::istringstream lines(read_file(origin));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!is_utf8(line))
        throw FileError(origin, text("the class name \"", visible(line), "\" is not UTF-8"),
                        "Convert the file, for instance with: iconv -f latin1 -t utf8.");
      if (!line.empty()) names.push_back(line);
    }
  } else if (const auto noted = state.metadata().find("classes"); noted != state.metadata().end()) {
    origin = source.weights;
    const auto list = fields::parse(noted->second);
    if (!list.is_array()) return {};
    for (const auto& name : list) names.push_back(name.is_string() ? name.get<std::string>() : "?");
  } else {
    return {};
  }
  if (static_cast<int64_t>(names.size()) != classes)
    throw FileError(origin, text("names ", names.size(), " classes, but the weights have ", classes));
  return names;
}

/// Nobody says which model the file is for.
[[noreturn]] void throw_without_model(const StateDict& state) {
  const std::vector<std::string> models = fitting_models(state);
  if (models.empty()) {
    classes_of(state);  // which names other people's models
    require_fit(state, model_by_name("r3d_18", 1), HeadPolicy::keep_own);
  }
  throw UsageError(text("--weights needs --model: ", visible(state.path().string()),
                        " does not say which model it is for"),
                   text("It fits: ", join(models, "; or "),
                        ". (VMZ's weights need --norm-eps 0.001, which no file shows.)"));
}

TrainedNetwork from_weights(const NetworkSource& source, NetworkUse use) {
  const StateDict state = read_weights(source.weights);
  CheckpointInfo info;
  const Notes notes = apply_notes(info.config, state, source.flags.given());
  if (!notes.model && !has(source.flags.given(), "model")) throw_without_model(state);
  const bool headless = use == NetworkUse::features && !has_head(state);
  const int64_t classes = headless ? 1 : classes_of(state);
  const HeadPolicy policy = headless ? HeadPolicy::keep_own : HeadPolicy::must_fit;
  info.config = adjusted(info.config, source.flags, use);
  if (!notes.clips && use != NetworkUse::weights) tell_unknown_clips(state.path().string(), info.config);
  require_fit(state, model_spec(info.config, classes), policy);
  if (!headless) info.classes = class_names(source, state, classes);
  const bool named = !info.classes.empty();
  for (int64_t i = 0; !named && i < classes; ++i) info.classes.push_back(text("class ", i));
  TrainedNetwork trained(std::move(info), state.path().string());
  trained.classes_named = named;
  trained.clips_known = notes.clips;
  trained.network->store().initialize(/*seed=*/0);  // a last layer that the file lacks is never looked at
  load_weights(*trained.network, state, policy);
  return trained;
}

}  // namespace

TrainedNetwork::TrainedNetwork(CheckpointInfo known, std::string origin)
    : info(std::move(known)),
      backend(make_backend(info.config)),
      network(std::make_unique<Network>(*backend, compute_type(info.config),
                                        model_spec(info.config, static_cast<int64_t>(info.classes.size())))),
      file(std::move(origin)) {}
TrainedNetwork::~TrainedNetwork() = default;
TrainedNetwork::TrainedNetwork(TrainedNetwork&&) noexcept = default;

void NetworkSource::add_to(Command& command, NetworkUse use) {
  command.add("--run", run, "run folder: its best checkpoint, else its last").path(PathKind::folder);
  command.add("--checkpoint", checkpoint, "checkpoint, for instance RUN/best.safetensors")
      .path(PathKind::file);
  command
      .add(
          "--weights", weights,
          "weights: a safetensors or PyTorch file, with --model unless laban wrote or knows it; or a name from "
          "`laban weights list`")
      .path(PathKind::file);
  command.add("--class-names", class_names, "class names for --weights: a text file, one name per line")
      .path(PathKind::file);
  const Roles roles =
      use == NetworkUse::weights ? Roles(Role::network) : Role::network | kClips | Role::inference;
  flags.add_to(command, flags_with(roles));
}

void add_view_flags(Views& views, Command& command) {
  command.add("--views", views.clips, "clips per video, spread evenly over it; predictions are averaged")
      .range(1, 1000);
  command.add("--crops", views.crops, "crops per clip: 1, the center; 3, also both ends of the longer side")
      .choices({"1", "3"});
}

TrainedNetwork load_network(const NetworkSource& source, NetworkUse use) {
  const auto given = !source.run.empty() + !source.checkpoint.empty() + !source.weights.empty();
  if (given != 1)
    throw UsageError("no network is given", "Give one of --run RUN, --checkpoint FILE and --weights FILE.");
  return source.weights.empty() ? from_checkpoint(source, use) : from_weights(source, use);
}

}  // namespace laban::tools
