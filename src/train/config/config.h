// Everything that can be set about a training run, in one struct: from a TOML file, from the command line, or
// both. It consists of the settings of the modules that do the work, so a default is written once.
//
// settings() (train/config/setting.h) lists every field with its TOML key, its flag, its range, its help and its
// roles; reading, writing, validating, --help and docs/settings.md all follow from that list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/load/loader.h"
#include "data/picture/decode_limits.h"
#include "models/freeze_settings.h"
#include "models/model_spec.h"
#include "train/best.h"
#include "train/config/setting.h"
#include "train/mix_settings.h"
#include "train/optimizer_settings.h"
#include "train/schedule.h"

namespace laban {

enum class RecipeKind {
  automatic,  // what is left open is chosen from the data, the machine and the time (train/recipe/recipe.h)
  none,       // the defaults below
};
enum class CacheUse { automatic, on, off };

enum class Preset { none, deck, torchvision };
enum class DeviceKind { automatic, cpu, cuda, reference };
enum class CpuKernels { automatic, baseline, avx2, avx512, avx512bf16, neon };
enum class Precision { f32, tf32, bf16, f64 };

struct Config {
  struct Recipe {
    RecipeKind kind = RecipeKind::automatic;
    double minutes = 15;
    bool floor = true;  // measure what needs no network, first
    CacheUse cache = CacheUse::automatic;
    double cache_limit = 4;  // GiB
    int cache_side = 0;      // short side of its pictures; 0: what the clips need
    bool operator==(const Recipe&) const = default;
  } recipe;

  struct Data {
    std::string path;
    DatasetSettings dataset;
    OnBadFile on_bad_file = OnBadFile::stop;
    int workers = 0;  // 0: one per processor
    DecodeLimits limits;
    std::string index_cache = "auto";  // a file; or "auto", "user", "off"
    bool operator==(const Data&) const = default;
  } data;

  struct Clip {
    SamplerSettings sampler;
    Preset preset = Preset::none;
    TransformSettings transform;
    bool single_frame = false;
    bool operator==(const Clip&) const = default;
  } clip;

  struct Model {
    std::string name = "r2plus1d_tiny";
    std::string weights;
    ModelOptions options;
    bool operator==(const Model&) const = default;
  } model;

  struct Train {
    int64_t epochs = 20;
    int batch = 8;
    int64_t accumulation = 1;
    double label_smoothing = 0;
    uint64_t seed = 1;
    double ema = 0;
    bool balance = false;
    std::string loss_weights = "none";  // see train/loss_weights.h
    MixSettings mix;
    BestBy best_by = BestBy::automatic;
    int64_t patience = 0;
    int64_t checkpoint_every = 0;
    bool operator==(const Train&) const = default;
  } train;

  struct FineTune {
    FreezeSettings freeze;
    std::string features;
    bool operator==(const FineTune&) const = default;
  } finetune;

  OptimizerSettings optimizer;
  ScheduleSettings schedule;

  struct Machine {
    DeviceKind device = DeviceKind::automatic;
    Precision precision = Precision::f32;
    int threads = 0, gpu = 0;
    CpuKernels isa = CpuKernels::automatic;
    bool deterministic = true, exact_weights = false, autotune = false, graph = true;
    bool operator==(const Machine&) const = default;
  } machine;

  bool operator==(const Config&) const = default;
};

/// Sets what a TOML text sets and leaves the rest. `source` names it in errors. Throws UsageError, with line
/// and key, for text that is no TOML, keys that do not exist (with the nearest that do), and values of the
/// wrong kind or out of range. Retired spellings (train/config/renamed.h) are read; each adds a sentence to
/// `notes`, where somebody wants them.
/// The flags of all settings that it sets are added to `given`, likewise.
void apply_toml(Config& config, std::string_view toml, const std::string& source,
                std::vector<std::string>* notes = nullptr, std::vector<std::string>* given = nullptr);
/// The same from a file. Throws FileError where it cannot be read.
void apply_config_file(Config& config, const std::string& path, std::vector<std::string>* notes = nullptr,
                       std::vector<std::string>* given = nullptr);
/// Sets the fields of `clip` as a published pipeline has them; Preset::none sets nothing. Reading a config or
/// flags does this first, so that single settings go beyond a preset wherever they stand.
void apply_preset(Config& config);
/// Sets one field from text, as from a command line: lists as "0.4,0.5,0.6", scales as "stem=0,fc=10". `flag`
/// is without dashes, in today's spelling.
void apply_flag(Config& config, const std::string& flag, const std::string& value);

/// Fills in what depends on something else (0 stands for "choose"): the short side's range from the clip's
/// size. Then validates what no single field can tell. Throws UsageError.
void resolve(Config& config);

/// How every config.toml of a run begins.
constexpr std::string_view kConfigHeader = "# All settings of a laban run.";
/// The whole config as TOML with explanations; apply_toml() of it gives the same config.
std::string to_toml(const Config& config);

/// Leaves out the files that the config would have written to: for configs that came with somebody's files
/// and that no command line has named. Flags that are applied afterwards count.
void forget_files_to_write(Config& config);

// What takes more than one part of the config.
LoaderSettings loader_settings(const Config& config, SampleMode mode);
/// On features nothing but fc is trained.
FreezeSettings freeze_settings(const Config& config);
/// Bad files that are to be left out may be missing altogether.
DatasetSettings dataset_settings(const Config& config);
ModelSpec model_spec(const Config& config, int64_t classes);
DType compute_type(const Config& config);

}  // namespace laban
