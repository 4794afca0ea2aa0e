// Chooses what a user leaves open about a training run, from the data, from a few steps on this machine, and from the
// time there is. docs/recipe.md explains every rule, with the measurement behind it.
//
// A recipe is made once, before a run begins. Everything it decides becomes an ordinary setting in config.toml, and
// what it measured goes to recipe.json; so a resumed run, and a new one from that config.toml, measure nothing and
// compute the same.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "train/config/config.h"
#include "train/recipe/facts.h"
#include "train/recipe/trial.h"

namespace laban {

/// Some settings that belong together, and why they are what they are.
struct Decision {
  std::string topic;  // "clips", "model", "optimizer"
  std::vector<std::pair<std::string, std::string>>
      settings;       // flags and their values; those not given by the user
  std::string value;  // in words: "16 frames of 72x96, spread over the video"
  std::string why;
};

/// What was measured on this machine.
struct Measured {
  double clips_per_second = 0;  // of training; 0: not measured
  double read_seconds = 0;      // one thread, a clip of the dataset as it is read in training
  double cache_seconds = 0;     // making the cache; 0: none was made
  int64_t cache_bytes = 0;
  double spent_seconds = 0;  // before training: looking, caching, trying
  size_t memory = 0;         // of the backend, while training
};

struct Recipe {
  DataFacts facts;
  Measured measured;
  double minutes = 0;          // 0: no limit (a GPU)
  double planned_seconds = 0;  // of the whole run; 0: not measured
  std::string heading;         // what it is for, in a line
  std::vector<Decision> decisions;
  std::vector<std::string> notes;  // what the user should know
};

/// The settings that somebody chose, by their flags. What a preset sets counts as given with it, and so do what
/// weights or features note of their clips and model (`noted`).
class GivenSettings {
 public:
  GivenSettings() = default;
  GivenSettings(std::vector<std::string> flags, Roles noted);
  bool has(const std::string& flag) const { return flags_.contains(flag); }
  /// Is there anything that a recipe would choose and that is not given?
  bool leaves_something() const;

 private:
  std::set<std::string> flags_;
};

/// Whether a cache pays, and fits. `free_bytes`: on the disk of the run.
struct CachePlan {
  bool use = false;
  int short_side = 0;
  double seconds = 0;  // to make it, estimated
  double bytes = 0;    // estimated
  std::string why;
};

/// Step by step, because between the steps the caller measures and makes what they say:
///
///   RecipeMaker maker(config, given, facts);
///   cache = maker.plan_cache(...); make it; maker.cached(...)
///   while (maker.wants_trial()) maker.tried(try_steps(backend, maker.trial_config(), ...));
///   Recipe recipe = maker.finish(seconds spent so far);   // changes config
class RecipeMaker {
 public:
  /// `config` must outlive it. `timed`: keep to config.recipe.minutes (a CPU, or a GPU where somebody asked for it).
  RecipeMaker(Config& config, GivenSettings given, DataFacts facts, bool timed);

  CachePlan plan_cache(double free_bytes, int processors);
  /// It was made: how long that took, its size, and the seconds that reading a clip from it takes.
  void cached(double seconds, int64_t bytes, double read_seconds);
  /// It was not to be made, and why.
  void not_cached(const std::string& why);

  bool wants_trial() const { return timed_ && trials_left_ > 0; }
  /// The config with everything decided so far, for a trial.
  const Config& trial_config() const { return config_; }
  void tried(const TrialResult& result);

  /// About what measuring the floor takes.
  double floor_seconds(int processors) const;

  /// Decides the number of epochs and what depends on it, and writes the rest of the config.
  Recipe finish(double spent_seconds, double floor_seconds, int processors);

 private:
  void set(Decision& decision, const std::string& flag, const std::string& value);
  void decide_picture();
  void decide_sampler();
  void decide_training();
  void choose_size();
  double epoch_seconds(int processors, double rate) const;
  double wanted_epochs() const;

  Config& config_;
  GivenSettings given_;
  Recipe recipe_;
  bool timed_;
  int trials_left_ = 0;
  size_t size_ = 0;  // of kSizes
  bool size_open_ = false;
  double rate_ = 0, rated_volume_ = 0;
  std::string cache_why_;
};

/// Multiples of 8, at least 24, of about `area` pixels and as close to `aspect` (width to height) as these get.
PictureSize rectangle(double aspect, double area);

std::string to_json(const Recipe& recipe);
/// The recipe of a run (recipe.json in its folder); nothing where there is none, or none that can be read. Facts and
/// measurements are not read back.
std::optional<Recipe> recipe_of(const std::filesystem::path& run);
/// Lines for people: "  clips      16 frames of 72x96: ...".
std::string recipe_lines(const Recipe& recipe);

}  // namespace laban
