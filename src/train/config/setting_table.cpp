// The table of all settings. A line is all that a new one needs: flags, TOML, --help, --resume, notes in exported
// files and docs/settings.md follow.
#include <limits>

#include "models/families.h"
#include "train/config/config.h"
#include "train/config/words.h"

namespace laban {
namespace {

std::vector<std::string> layout_choices() {
  std::vector<std::string> names{"auto"};
  names.insert(names.end(), kLayoutNames.begin(), kLayoutNames.end());
  return names;
}

template <class E>
Setting::Choice choice(E* target) {
  Setting::Choice choice;
  for (const auto& [value, word] : kWords<E>) choice.words.emplace_back(word);
  choice.get = [target] {
    size_t at = 0;
    while (at + 1 < kWords<E>.size() && kWords<E>[at].value != *target) ++at;
    return at;
  };
  choice.set = [target](size_t at) { *target = kWords<E>.at(at).value; };
  return choice;
}

std::vector<Setting> table(Config& c) {
  using enum Role;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kMany = 1'000'000'000;
  DatasetSettings& described = c.data.dataset;
  SamplerSettings& sampler = c.clip.sampler;
  TransformSettings& view = c.clip.transform;
  AugmentSettings& augment = view.augment;
  return {
      {"data", "path", "data", resume, "dataset folder or annotation list", Setting::Word{&c.data.path, {}}},
      {"data", "layout", "layout", dataset, "dataset layout; auto: detect",
       Setting::Word{&described.layout, layout_choices()}},
      {"data", "media", "media", dataset | resume,
       "root folder of the paths in annotation lists; empty: detect", Setting::Word{&described.media, {}}},
      {"data", "filename_pattern", "filename-pattern", dataset,
       "filename pattern of the pictures in a clip's folder, e.g. img_%05d.jpg; empty: all pictures",
       Setting::Word{&described.filename_pattern, {}}},
      {"data", "list_columns", "list-columns", dataset,
       "annotation lists: what the two numbers of PATH N N LABEL are, first and last frame (start-end) or frames to skip and number of frames (offset-count); auto: what fits the clips",
       choice(&described.list_columns)},
      {"data", "confine", "confine", dataset | resume,
       "refuse clips outside the dataset folder and --media, which lists and links may name",
       Setting::Flag{&described.confine}},
      {"data", "fold", "fold", dataset, "number of the official split: UCF-101, HMDB-51",
       Setting::Whole{&described.fold, 1, 3}},
      {"data", "split_seed", "split-seed", dataset, "seed of the random split, for datasets without one",
       Setting::Whole{&described.split.seed, 0, INT64_MAX}},
      {"data", "split_by", "split-by", dataset,
       "clips that a random split keeps together: file, only those of one file; name, those named for one source; content, these and those that look alike or show the same scene",
       choice(&described.split.by)},
      {"data", "train_fraction", "train-fraction", dataset,
       "fraction of clips for training in a random split", Setting::Number{&described.split.train, 0, 1}},
      {"data", "val_fraction", "val-fraction", dataset,
       "fraction of clips for validation in a random split; the rest is for test",
       Setting::Number{&described.split.val, 0, 1}},
      {"data", "on_bad_file", "on-bad-file", loading | inference,
       "policy for files that do not decode: stop the run, or exclude and list them",
       choice(&c.data.on_bad_file)},
      {"data", "max_pixels", "max-pixels", loading | inference | resume,
       "largest picture or video frame that is decoded, in pixels; a larger one counts as damaged",
       Setting::Whole{&c.data.limits.pixels, 1, int64_t{1} << 30}},
      {"data", "max_scans", "max-scans", loading | inference | resume,
       "most scans of a JPEG picture that is decoded; fewer where it has more than 8 million pixels; one of more counts as damaged",
       Setting::Whole{&c.data.limits.scans, 1, 1'000'000}},
      {"data", "max_decode_time", "max-decode-time", loading | inference | resume,
       "longest that one pass over a clip may take to decode, in seconds of a processor; a slower one counts as damaged",
       Setting::Number{&c.data.limits.seconds, 0.01, 1e9}},
      {"data", "workers", "workers", loading | inference | resume, "decoding threads; 0: one per processor",
       Setting::Whole{&c.data.workers, 0, 1024}},
      {"data", "index_cache", "index-cache", loading | inference | resume,
       "video index file, reused across runs; auto: in the dataset folder; user: in the user's cache folder; off: none",
       Setting::Word{&c.data.index_cache, {}}},

      {"recipe", "kind", "recipe", training,
       "who chooses what is not given: auto, laban, from the data, the machine and the time; none, the defaults listed here",
       choice(&c.recipe.kind)},
      {"recipe", "minutes", "minutes", training,
       "recipe: how long everything may take on a CPU; on a GPU only where it is given",
       Setting::Number{&c.recipe.minutes, 0.01, 1e6}},
      {"recipe", "floor", "floor", training, "measure first what needs no network, to compare with",
       Setting::Flag{&c.recipe.floor}},
      {"recipe", "cache", "cache", training,
       "shrunken copy of the clips in the run folder, read in place of the videos; auto: the recipe decides, without one off",
       choice(&c.recipe.cache)},
      {"recipe", "cache_limit", "cache-limit", training,
       "the most that a cache chosen by the recipe may take, in GiB",
       Setting::Number{&c.recipe.cache_limit, 0, 1e6}},
      {"recipe", "cache_side", "cache-side", training,
       "short side of the cache's pictures; 0: as small as the clips allow",
       Setting::Whole{&c.recipe.cache_side, 0, 8192}},

      {"clip", "sampler", "sampler", sampling,
       "frame sampler: tsn, segments over the whole video; tsn-unbiased, the same up to its very last frames; dense, frames in a row",
       choice(&sampler.kind)},
      {"clip", "frames", "frames", sampling, "frames per clip", Setting::Whole{&sampler.frames, 1, 4096}},
      {"clip", "frames_per_segment", "frames-per-segment", sampling, "tsn: consecutive frames per segment",
       Setting::Whole{&sampler.frames_per_segment, 1, 4096}},
      {"clip", "stride", "stride", sampling, "dense: frame stride",
       Setting::Number{&sampler.stride, 1, 1000}},
      {"clip", "fps", "fps", sampling, "dense: frame rate to resample to; 0: native",
       Setting::Number{&sampler.fps, 0, 1000}},
      {"clip", "preset", "preset", preset | picture | augmentation,
       "published preprocessing: none; deck, short side 256 to 320, crop 244; torchvision, 171x128, crop 112, Kinetics statistics; overrides what a weights file notes; other settings override it",
       choice(&c.clip.preset)},
      {"clip", "size", "size", picture, "crop in pixels: N for a square, or HEIGHTxWIDTH",
       Setting::Size{&view.crop, 8, 4096}},
      {"clip", "short_side_min", "short-side-min", picture,
       "shortest side after scaling, minimum in training, fixed in evaluation; 0: 8/7 of size",
       Setting::Whole{&view.short_side_min, 0, 8192}},
      {"clip", "short_side_max", "short-side-max", picture,
       "shortest side after scaling, maximum in training; 0: 10/7 of size",
       Setting::Whole{&view.short_side_max, 0, 8192}},
      {"clip", "scale", "scale", picture,
       "scaling before the crop: short-side keeps the aspect ratio, area is RandomResizedCrop, stretch goes to a fixed size, frame makes the whole picture the crop",
       choice(&view.rule)},
      {"clip", "area", "area", augmentation, "scale area: area fraction of the crop, min and max",
       Setting::Numbers{std::span<double>(view.area), 1e-6, 1}},
      {"clip", "aspect", "aspect", augmentation, "scale area: aspect ratio of the crop, min and max",
       Setting::Numbers{std::span<double>(view.aspect), 0.01, 100}},
      {"clip", "stretch_width", "stretch-width", picture, "scale stretch: width before the crop",
       Setting::Whole{&view.stretch_width, 1, 8192}},
      {"clip", "stretch_height", "stretch-height", picture, "scale stretch: height before the crop",
       Setting::Whole{&view.stretch_height, 1, 8192}},
      {"clip", "zoom", "zoom", augmentation,
       "scale frame: the most that training enlarges a picture before the crop, in height and in width",
       Setting::Number{&view.zoom, 1, 10}},
      {"clip", "flip", "flip", augmentation, "horizontal flip probability; set 0 where left and right matter",
       Setting::Number{&view.flip, 0, 1}},
      {"clip", "flip_vertically", "flip-vertically", augmentation, "vertical flip probability",
       Setting::Number{&view.flip_vertically, 0, 1}},
      {"clip", "brightness", "brightness", augmentation, "brightness jitter: factor from 1-x to 1+x",
       Setting::Number{&augment.brightness, 0, 10}},
      {"clip", "contrast", "contrast", augmentation, "contrast jitter: factor from 1-x to 1+x",
       Setting::Number{&augment.contrast, 0, 10}},
      {"clip", "saturation", "saturation", augmentation, "saturation jitter: factor from 1-x to 1+x",
       Setting::Number{&augment.saturation, 0, 10}},
      {"clip", "hue", "hue", augmentation, "hue jitter: shift from -x to x of the color circle",
       Setting::Number{&augment.hue, 0, 0.5}},
      {"clip", "rand_augment", "rand-augment", augmentation, "RandAugment ops per training clip; 0: off",
       Setting::Whole{&augment.rand_augment, 0, 14}},
      {"clip", "rand_magnitude", "rand-magnitude", augmentation, "RandAugment magnitude",
       Setting::Whole{&augment.rand_magnitude, 0, 30}},
      {"clip", "erase", "erase", augmentation, "random erasing probability",
       Setting::Number{&augment.erase, 0, 1}},
      {"clip", "mean", "mean", picture, "normalization mean of R, G, B",
       Setting::Numbers{std::span<float>(view.mean), 0, 1}},
      {"clip", "std", "std", picture, "normalization standard deviation of R, G, B",
       Setting::Numbers{std::span<float>(view.std), 1e-3, 1e3}},
      {"clip", "single_frame", "single-frame", sampling | inference,
       "single-frame control: every frame of a clip replaced by one of its frames",
       Setting::Flag{&c.clip.single_frame}},

      {"model", "name", "model", network, "model name; `laban describe` lists them",
       Setting::Word{&c.model.name, {}}},
      {"model", "weights", "weights", training,
       "initialize from this file (safetensors or PyTorch), or from public weights by their name in `laban weights list`; empty: random",
       Setting::Word{&c.model.weights, {}}},
      {"model", "midplanes", "midplanes", network,
       "mid channels of (2+1)D convolutions: torchvision, one number per block; per-conv, as in VMZ and the paper",
       choice(&c.model.options.midplanes)},
      {"model", "shortcut", "shortcut", network,
       "shortcut where the shape changes: B, projection; A, subsampling and zero padding",
       choice(&c.model.options.shortcut)},
      {"model", "norm_eps", "norm-eps", network, "batch norm epsilon; 0.001 for VMZ weights",
       Setting::Number{&c.model.options.norm_eps, 1e-12, 1}},
      {"model", "dropout", "dropout", training, "dropout probability before the last layer",
       Setting::Number{&c.model.options.dropout, 0, 0.99}},

      {"train", "epochs", "epochs", training | resume, "training epochs",
       Setting::Whole{&c.train.epochs, 1, kMany}},
      {"train", "batch", "batch", training | inference, "batch size in clips",
       Setting::Whole{&c.train.batch, 1, 65536}},
      {"train", "accumulation", "accumulation", training, "gradient accumulation: batches per optimizer step",
       Setting::Whole{&c.train.accumulation, 1, 65536}},
      {"train", "label_smoothing", "label-smoothing", training, "label smoothing",
       Setting::Number{&c.train.label_smoothing, 0, 0.99}},
      {"train", "seed", "seed", training,
       "seed of initialization, shuffling, sampling, augmentation and dropout",
       Setting::Whole{&c.train.seed, 0, INT64_MAX}},
      {"train", "ema", "ema", training,
       "exponential moving average of the weights: decay, e.g. 0.999; 0: off",
       Setting::Number{&c.train.ema, 0, 0.9999999}},
      {"train", "balance", "balance", training,
       "class-balanced sampling: clips of small classes are repeated", Setting::Flag{&c.train.balance}},
      {"train", "loss_weights", "loss-weights", training,
       "weights of the classes in the loss: none, balanced (in inverse proportion to their clips), or a list, e.g. waltz=2,tango=0.5",
       Setting::Word{&c.train.loss_weights, {}}},
      {"train", "mixup", "mixup", training, "mixup alpha; 0: off",
       Setting::Number{&c.train.mix.mixup, 0, 100}},
      {"train", "cutmix", "cutmix", training, "cutmix alpha; 0: off",
       Setting::Number{&c.train.mix.cutmix, 0, 100}},
      {"train", "best_by", "best-by", training | resume,
       "what decides on val which epoch is kept as best: loss, accuracy, macro-f1, or the last epoch; auto: last with a handful of clips, loss with few, macro-f1 with uneven classes, else accuracy",
       choice(&c.train.best_by)},
      {"train", "patience", "patience", training | resume,
       "early stopping: epochs without improvement on val; 0: off",
       Setting::Whole{&c.train.patience, 0, kMany}},
      {"train", "checkpoint_every", "checkpoint-every", training | resume,
       "steps between checkpoints; 0: once per epoch", Setting::Whole{&c.train.checkpoint_every, 0, kMany}},

      {"finetune", "freeze", "freeze", training, "layers to freeze, e.g. stem, layer1; backbone: all but fc",
       Setting::Words{&c.finetune.freeze.layers}},
      {"finetune", "freeze_norms", "freeze-norms", training,
       "frozen batch norm statistics; gamma and beta stay trainable",
       Setting::Flag{&c.finetune.freeze.norms}},
      {"finetune", "features", "features", training,
       "train fc only, on features in this file, which `laban features` wrote",
       Setting::Word{&c.finetune.features, {}}},

      {"optimizer", "kind", "optimizer", training, "optimizer", choice(&c.optimizer.kind)},
      {"optimizer", "lr", "lr", training, "peak learning rate, after warmup",
       Setting::Number{&c.schedule.base_lr, 1e-12, 1e6}},
      {"optimizer", "momentum", "momentum", training, "SGD momentum",
       Setting::Number{&c.optimizer.momentum, 0, 0.99999}},
      {"optimizer", "nesterov", "nesterov", training, "SGD: Nesterov momentum",
       Setting::Flag{&c.optimizer.nesterov}},
      {"optimizer", "beta1", "beta1", training, "Adam beta1",
       Setting::Number{&c.optimizer.beta1, 0, 0.99999}},
      {"optimizer", "beta2", "beta2", training, "Adam beta2",
       Setting::Number{&c.optimizer.beta2, 0, 0.9999999}},
      {"optimizer", "eps", "eps", training, "Adam epsilon", Setting::Number{&c.optimizer.eps, 1e-30, 1}},
      {"optimizer", "weight_decay", "weight-decay", training,
       "weight decay; decoupled in adamw, L2 otherwise", Setting::Number{&c.optimizer.weight_decay, 0, 1e3}},
      {"optimizer", "decay_norms", "decay-norms", training, "weight decay on biases and batch norms, too",
       Setting::Flag{&c.optimizer.decay_norms}},
      {"optimizer", "clip_norm", "clip-norm", training, "gradient clipping: maximum norm; 0: off",
       Setting::Number{&c.optimizer.clip_norm, 0, kInfinity}},
      {"optimizer", "lr_scales", "lr-scales", training,
       "learning rate multipliers by parameter name prefix, e.g. stem=0.1,fc=10; 0 still updates batch norm statistics, unlike freeze",
       Setting::Scales{&c.optimizer.lr_scales}},

      {"schedule", "kind", "schedule", training, "learning rate schedule", choice(&c.schedule.kind)},
      {"schedule", "warmup_epochs", "warmup-epochs", training, "linear warmup in epochs",
       Setting::Number{&c.schedule.warmup_epochs, 0, kMany}},
      {"schedule", "warmup_start", "warmup-start", training,
       "warmup start as a fraction of the learning rate", Setting::Number{&c.schedule.warmup_start, 0, 1}},
      {"schedule", "last_lr", "last-lr", training, "final cosine learning rate",
       Setting::Number{&c.schedule.last_lr, 0, 1e6}},
      {"schedule", "milestones", "milestones", training,
       "step: epochs after which the learning rate is multiplied by gamma, e.g. 20, 30",
       Setting::Numbers{&c.schedule.milestones, 0, kMany}},
      {"schedule", "gamma", "gamma", training, "step: learning rate multiplier at each milestone",
       Setting::Number{&c.schedule.gamma, 0, 1}},

      {"machine", "device", "device", machine | inference,
       "compute device; auto: cuda where a GPU works, else cpu; reference: plain loops, slow",
       choice(&c.machine.device)},
      {"machine", "precision", "precision", machine | inference,
       "compute precision; tf32 needs cuda, f64 needs reference", choice(&c.machine.precision)},
      {"machine", "threads", "threads", machine | inference | resume,
       "CPU compute threads; 0: one per processor", Setting::Whole{&c.machine.threads, 0, 1024}},
      {"machine", "isa", "isa", machine | inference,
       "CPU kernels for this instruction set; auto: the best that the processor has; others round differently",
       choice(&c.machine.isa)},
      {"machine", "gpu", "gpu", machine | inference, "CUDA device index, as in nvidia-smi",
       Setting::Whole{&c.machine.gpu, 0, 1023}},
      {"machine", "deterministic", "deterministic", machine | inference,
       "deterministic CUDA algorithms only: same bits in every run", Setting::Flag{&c.machine.deterministic}},
      {"machine", "exact_weights", "exact-weights", machine,
       "CUDA, bf16: weight gradients never rounded to bf16; slower", Setting::Flag{&c.machine.exact_weights}},
      {"machine", "autotune", "autotune", machine | inference,
       "CUDA: benchmark convolution algorithms and remember the fastest", Setting::Flag{&c.machine.autotune}},
      {"machine", "graph", "graph", machine | inference, "CUDA graph: record a step once and replay it",
       Setting::Flag{&c.machine.graph}},
  };
}

}  // namespace

std::vector<Setting> settings(Config& config) {
  static const std::vector<std::string> defaults = [] {
    Config untouched;
    std::vector<std::string> values;
    for (const Setting& setting : table(untouched)) values.push_back(setting.toml());
    return values;
  }();
  std::vector<Setting> all = table(config);
  for (size_t i = 0; i < all.size(); ++i) all[i].default_toml = defaults[i];
  return all;
}

std::vector<std::string> flags_with(Roles roles, Roles except) {
  Config any;
  std::vector<std::string> flags;
  for (const Setting& setting : table(any))
    if (setting.roles.any(roles) && !setting.roles.any(except)) flags.push_back(setting.flag);
  return flags;
}

std::vector<std::string> flags_in(const std::string& section) {
  Config any;
  std::vector<std::string> flags;
  for (const Setting& setting : table(any))
    if (setting.section == section) flags.push_back(setting.flag);
  return flags;
}

Roles roles_of(const std::string& flag) {
  Config any;
  for (const Setting& setting : table(any))
    if (setting.flag == flag) return setting.roles;
  return {};
}

}  // namespace laban
