#include "cli/trained_network.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/weights_notes.h"
#include "core/error.h"
#include "core/files.h"
#include "cuda/make_backend.h"
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

TrainedNetwork made(CheckpointInfo info, const std::string& file) {
  TrainedNetwork trained{std::move(info), nullptr, nullptr, file};
  const Config& config = trained.info.config;
  trained.backend = make_backend(config);
  trained.network =
      std::make_unique<Network>(*trained.backend, compute_type(config),
                                model_spec(config, static_cast<int64_t>(trained.info.classes.size())));
  return trained;
}

TrainedNetwork from_checkpoint(const NetworkSource& source, NetworkUse use) {
  for (const std::string& flag : source.flags.given())
    if (!roles_of(flag).any(Role::inference | Role::dataset))
      throw UsageError(text("--", flag, " goes with --weights only"),
                       "A checkpoint knows its model, and how its training clips were made.");
  if (!source.class_names.empty())
    throw UsageError("--class-names goes with --weights only",
                     "A checkpoint knows the names of its classes.");
  const Checkpoint file(source.run.empty() ? source.checkpoint
                                           : RunFolder{source.run}.to_evaluate().string());
  CheckpointInfo info = file.info();
  info.config = adjusted(info.config, source.flags, use);
  TrainedNetwork trained = made(std::move(info), file.path().string());
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
      if (!line.empty()) names.push_back(line);
    }
  } else if (const auto noted = state.metadata().find("classes"); noted != state.metadata().end()) {
    origin = source.weights;
    const auto list = nlohmann::json::parse(noted->second, nullptr, /*allow_exceptions=*/false);
    if (!list.is_array()) return {};
    for (const auto& name : list) names.push_back(name.is_string() ? name.get<std::string>() : "?");
  } else {
    return {};
  }
  if (static_cast<int64_t>(names.size()) != classes)
    throw FileError(origin, text("names ", names.size(), " classes, but the weights have ", classes));
  return names;
}

TrainedNetwork from_weights(const NetworkSource& source, NetworkUse use) {
  const StateDict state = StateDict::read(std::filesystem::path(source.weights));
  CheckpointInfo info;
  const Notes notes = apply_notes(info.config, state, source.flags.given());
  if (!notes.model && !has(source.flags.given(), "model"))
    throw UsageError("--weights needs --model: the file does not say which model it is for",
                     "laban help describe lists the models.");
  const bool headless = use == NetworkUse::features && !has_head(state);
  const int64_t classes = headless ? 1 : classes_of(state);
  const HeadPolicy policy = headless ? HeadPolicy::keep_own : HeadPolicy::must_fit;
  info.config = adjusted(info.config, source.flags, use);
  require_fit(state, model_spec(info.config, classes), policy);
  if (!headless) info.classes = class_names(source, state, classes);
  const bool named = !info.classes.empty();
  for (int64_t i = 0; !named && i < classes; ++i) info.classes.push_back(text("class ", i));
  TrainedNetwork trained = made(std::move(info), source.weights);
  trained.classes_named = named;
  trained.clips_known = notes.clips;
  trained.network->store().initialize(/*seed=*/0);  // a last layer that the file lacks is never looked at
  load_weights(*trained.network, state, policy);
  return trained;
}

}  // namespace

void NetworkSource::add_to(Command& command, NetworkUse use) {
  command.add("--run", run, "run folder: its best checkpoint, else its last").path(PathKind::folder);
  command.add("--checkpoint", checkpoint, "checkpoint, for instance RUN/best.safetensors")
      .path(PathKind::file);
  command
      .add("--weights", weights, "weights file (safetensors or PyTorch), with --model unless laban wrote it")
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
