#include "cli/weights_notes.h"

#include <algorithm>
#include <cstdio>

#include "cli/printable.h"
#include "core/error.h"
#include "models/families.h"
#include "train/config/toml_value.h"

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

}  // namespace

Texts noted_settings(const Config& config, bool clips) {
  Config copy = config;
  Texts notes;
  for (const Setting& setting : settings(copy))
    if (makes_network(setting) || (clips && makes_clips(setting))) notes[key_of(setting)] = setting.plain();
  return notes;
}

Notes apply_notes(Config& config, const StateDict& state, const std::vector<std::string>& given) {
  const Texts noted = notes_in(state);
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
    if (changed != Config{}) list += (list.empty() ? "" : ", ") + setting.flag + " " + value;
  }
  if (!replaced.empty())
    std::fprintf(stderr, "note: --preset replaces what is noted in %s: %s\n", state.path().c_str(),
                 printable(replaced).c_str());
  if (!told.empty())
    std::fprintf(stderr, "as noted in %s: %s\n", state.path().c_str(), printable(told).c_str());
  return notes;
}

}  // namespace laban::tools
