// Everything that can be set about a training run, in one struct: from a TOML file, from the command line, or
// both.
//
// settings() lists every field with its TOML key, its flag, its range and its explanation; reading, writing,
// validating and the program's --help are all made from that list, so none of them can forget a field.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "data/load/loader.h"
#include "models/freeze.h"
#include "models/model_spec.h"
#include "train/optimizer.h"
#include "train/schedule.h"

namespace laban {

struct Config {
  struct Data {
    std::string path, layout = "auto", media, filename_pattern;
    int64_t fold = 1;
    int64_t split_seed = 1;
    double train_share = 0.8, validate_share = 0.1;
    std::string on_bad_file = "stop";
    int64_t workers = 0;
    std::string packet_cache = "auto";
    bool operator==(const Data&) const = default;
  } data;

  struct Clip {
    std::string sampler = "tsn";
    int64_t frames = 16, frames_per_segment = 1;
    double stride = 1, fps = 0;
    int64_t size = 56, short_side_min = 0, short_side_max = 0;
    std::string preset = "none", scale = "short-side";
    std::vector<double> area{0.08, 1.0}, aspect{0.75, 1.3333333333333333};
    int64_t stretch_width = 171, stretch_height = 128;
    double flip = 0.5, flip_vertically = 0;
    double brightness = 0, contrast = 0, saturation = 0, hue = 0;
    int64_t rand_augment = 0, rand_magnitude = 9;
    double erase = 0;
    std::vector<double> mean{0.45, 0.45, 0.45}, std{0.225, 0.225, 0.225};
    bool single_frame = false;
    bool operator==(const Clip&) const = default;
  } clip;

  struct Model {
    std::string name = "r2plus1d_tiny";
    std::string weights;
    std::string midplanes = "torchvision", shortcut = "B";
    double norm_eps = 1e-5;
    double dropout = 0;
    bool operator==(const Model&) const = default;
  } model;

  struct Train {
    int64_t epochs = 20, batch = 8, accumulation = 1;
    double label_smoothing = 0;
    int64_t seed = 1;
    double ema = 0;
    bool balance = false;
    double mixup = 0, cutmix = 0;
    int64_t patience = 0;
    int64_t checkpoint_every = 0;
    bool operator==(const Train&) const = default;
  } train;

  struct FineTune {
    std::vector<std::string> freeze;
    bool freeze_norms = false;
    std::string features;
    bool operator==(const FineTune&) const = default;
  } finetune;

  struct Optimize {
    std::string kind = "adamw";
    double lr = 2e-3, momentum = 0.9;
    bool nesterov = false;
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
    bool decay_norms = true;
    double clip_norm = 0;
    std::map<std::string, double> lr_scales;
    bool operator==(const Optimize&) const = default;
  } optimizer;

  struct Schedule {
    std::string kind = "cosine";
    double warmup_epochs = 1, warmup_start = 0.01, last_lr = 0;
    std::vector<double> milestones;
    double gamma = 0.1;
    bool operator==(const Schedule&) const = default;
  } schedule;

  struct Machine {
    std::string device = "auto", precision = "f32";
    int64_t threads = 0, gpu = 0;
    bool deterministic = true, exact_weights = false, autotune = false, graph = true;
    bool operator==(const Machine&) const = default;
  } machine;

  bool operator==(const Config&) const = default;
};

/// One field of a Config. Bounds are inclusive.
struct Setting {
  struct Flag {
    bool* target;
  };
  struct Whole {
    int64_t* target;
    int64_t low, high;
  };
  struct Number {
    double* target;
    double low, high;
  };
  struct Word {
    std::string* target;
    std::vector<std::string> choices;  // empty: any text
  };
  struct Numbers {
    std::vector<double>* target;
    double low, high;
    size_t count;  // 0: any
  };
  struct Words {
    std::vector<std::string>* target;
  };
  struct Scales {
    std::map<std::string, double>* target;
  };

  std::string section, key;  // [section] key = ... in TOML
  std::string flag;          // "--lr" without the dashes
  std::string help;
  std::variant<Flag, Whole, Number, Word, Numbers, Words, Scales> value;

  std::string name() const { return section + "." + key; }
  /// The value as TOML: 0.01, "cosine", [1.0, 2.0], true.
  std::string toml() const;
};

/// Every field, in the order of the struct; the pointers reach into `config`.
std::vector<Setting> settings(Config& config);

/// Sets what a TOML text sets and leaves the rest. `source` names it in errors. Throws UsageError, with line
/// and key, for text that is no TOML, keys that do not exist (with the nearest that do), and values of the
/// wrong kind or out of range.
void apply_toml(Config& config, std::string_view toml, const std::string& source);
/// The same from a file. Throws FileError where it cannot be read.
void apply_config_file(Config& config, const std::string& path);
/// Sets the fields of `clip` as a published pipeline has them: "deck" or "torchvision"; "none" sets nothing.
/// Reading a config or flags does this first, so that single settings go beyond a preset wherever they stand.
void apply_preset(Config& config);
/// Sets one field from text, as from a command line: lists as "0.4,0.5,0.6", scales as "stem=0,fc=10". `flag`
/// is without dashes.
void apply_flag(Config& config, const std::string& flag, const std::string& value);

/// Fills in what depends on something else (0 stands for "choose"): the short side's range from the clip's
/// size. Then checks what no single field can tell. Throws UsageError.
void resolve(Config& config);

/// How every config.toml of a run begins.
constexpr std::string_view kConfigHeader = "# All settings of a laban run.";
/// The whole config as TOML with explanations; apply_toml() of it gives the same config.
std::string to_toml(const Config& config);

/// Leaves out the files that the config would have written to: for configs that came with somebody's files
/// and that no command line has named. Flags that are applied afterwards count.
void forget_files_to_write(Config& config);

// What the config means to each part of the program.
LoaderSettings loader_settings(const Config& config, SampleMode mode);
OptimizerSettings optimizer_settings(const Config& config);
FreezeSettings freeze_settings(const Config& config);
ScheduleSettings schedule_settings(const Config& config, int64_t steps_per_epoch);
/// Bad files that are to be left out may be missing altogether.
DatasetSettings dataset_settings(const Config& config);
ModelSpec model_spec(const Config& config, int64_t classes);
DType compute_type(const Config& config);

}  // namespace laban
