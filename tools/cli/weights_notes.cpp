#include "cli/weights_notes.h"

#include <algorithm>
#include <cstdio>

#include "cli/printable.h"
#include "cli/weights_cache.h"
#include "core/error.h"
#include "core/text.h"
#include "models/families.h"
#include "train/config/toml_value.h"
#include "weights/own_keys.h"
#include "weights/public_weights.h"

namespace laban::tools {
namespace {

using Texts = std::map<std::string, std::string>;

/// What a network sees of a video in evaluation, once presets have done their work.
bool makes_clips(const Setting& setting) {
  return setting.roles.any(Role::sampling | Role::picture) &&
         !setting.roles.any(Role::inference | Role::preset);
}
bool makes_network(const Setting& setting) { return setting.roles.any(Role::network); }

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// A setting's name among the notes.
std::string key_of(const Setting& setting) { return setting.flag == "model" ? setting.flag : setting.key; }

/// What the file says, by key; empty where laban did not write it.
Texts notes_in(const StateDict& state) {
  const Texts& metadata = state.metadata();
  const auto format = metadata.find("format"), config = metadata.find("config");
  if (format != metadata.end() && format->second.starts_with("laban.checkpoint.") &&
      config != metadata.end()) {
    Config made;
    try {
      apply_toml(made, config->second, "config");
    } catch (const UsageError& error) {
      std::fprintf(stderr, "note: the config in %s is not valid in this version of laban: %s\n",
                   state.path().c_str(), error.what());
      return {};
    }
    return noted_settings(made, /*clips=*/true);
  }
  // Other programs may well note a "size" or a "model" of their own, but not all of these.
  Config defaults;
  for (const Setting& setting : settings(defaults))
    if (makes_network(setting) && !metadata.contains(key_of(setting))) return {};
  return metadata;
}

/// What is published of the file as a public one, likewise; `origin` becomes how it was recognized, and `flags` the
/// settings of clips that are published.
Texts known_of(const StateDict& state, std::string& origin, std::vector<std::string>& flags) {
  std::string doubt;
  const std::optional<Recognized> known = recognize(state, doubt);
  if (!doubt.empty()) std::fprintf(stderr, "note: %s: %s\n", state.path().c_str(), printable(doubt).c_str());
  if (!known) return {};
  const PublicWeights& weights = *known->weights;
  origin = text(state.path().string(), " is ", weights.name, " (", known->evidence, ")");
  Config published;
  published.model.name = weights.model;
  published.model.options = weights.options;
  for (const auto& [flag, value] : weights.clips) {
    apply_flag(published, flag, value);
    flags.push_back(flag);
  }
  return noted_settings(published, /*clips=*/true);
}

}  // namespace

StateDict read_weights(const std::string& given) {
  StateDict state = with_own_keys(StateDict::read(std::filesystem::path(weights_file(given))));
  for (const std::string& note : state.notes())
    std::fprintf(stderr, "note: %s: %s\n", printable(state.path().string()).c_str(), printable(note).c_str());
  return state;
}

std::vector<std::pair<std::string, std::string>> clip_settings(Config config) {
  const bool stretched = config.clip.transform.rule == ScaleRule::stretch;
  const bool dense = config.clip.sampler.kind == SamplerKind::dense;
  std::vector<std::pair<std::string, std::string>> list;
  for (const Setting& setting : settings(config)) {
    const std::string& flag = setting.flag;
    const bool unused = flag.starts_with(stretched ? "short-side" : "stretch") ||
                        (dense ? flag == "frames-per-segment" : flag == "stride" || flag == "fps");
    if (makes_clips(setting) && !unused) list.emplace_back(setting.flag, setting.plain());
  }
  return list;
}

void tell_unknown_clips(const std::string& file, const Config& config) {
  std::string list;
  for (const auto& [flag, value] : clip_settings(config)) append(list, flag + " " + value);
  std::fprintf(
      stderr,
      "note: which clips %s was trained on is not known; taken: %s\n"
      "  Other clips than a network was trained on make it worse: give --preset, or --size, --mean, ...\n",
      printable(file).c_str(), list.c_str());
}

Texts noted_settings(const Config& config, bool clips) {
  Config copy = config;
  Texts notes;
  for (const Setting& setting : settings(copy))
    if (makes_network(setting) || (clips && makes_clips(setting))) notes[key_of(setting)] = setting.plain();
  return notes;
}

Notes apply_notes(Config& config, const StateDict& state, const std::vector<std::string>& given) {
  Texts noted = notes_in(state);
  std::string origin = text("as noted in ", state.path().string());
  std::vector<std::string> published;  // told even where they are the defaults
  if (noted.empty()) noted = known_of(state, origin, published);
  Notes notes;
  std::string told, replaced;
  Config defaults;
  for (const Setting& setting : settings(defaults)) {
    const bool model = makes_network(setting), clip = makes_clips(setting);
    const auto found = noted.find(key_of(setting));
    if ((!model && !clip) || found == noted.end()) continue;
    (model ? notes.model : notes.clips) = true;
    // Short sides go with a size, and follow a size that is given.
    const bool follows = setting.flag.starts_with("short-side") && has(given, "size");
    // A preset says all that a network sees of a frame.
    const bool set = setting.roles.any(Role::picture) && has(given, "preset");
    if (has(given, setting.flag) || follows) continue;
    const std::string value = toml_as_flag(found->second);  // as JSON, too
    Config unused;
    try {
      apply_flag(set ? unused : config, setting.flag, value);
      if (setting.flag == "model" && !has(model_names(), config.model.name))
        throw UsageError(text("--model is '", config.model.name, "', which laban does not know"));
    } catch (const UsageError& error) {
      throw FileError(state.path().string(), text("its metadata cannot be: ", error.what()),
                      text("--", setting.flag, " overrules it."));
    }
    Config changed;
    apply_flag(changed, setting.flag, value);
    std::string& list = set ? replaced : told;
    if (changed != Config{} || has(published, setting.flag))
      list += (list.empty() ? "" : ", ") + setting.flag + " " + value;
  }
  if (!replaced.empty())
    std::fprintf(stderr, "note: --preset replaces what is noted in %s: %s\n", state.path().c_str(),
                 printable(replaced).c_str());
  if (!told.empty()) std::fprintf(stderr, "%s: %s\n", printable(origin).c_str(), printable(told).c_str());
  return notes;
}

}  // namespace laban::tools
