#include "train/config/config.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "models/families.h"

namespace laban {

namespace {

std::vector<std::string> layout_choices() {
  std::vector<std::string> names{"auto"};
  names.insert(names.end(), kLayoutNames.begin(), kLayoutNames.end());
  return names;
}

/// Does packet_cache name a file?
bool is_file(const std::string& packet_cache) {
  return packet_cache != "auto" && packet_cache != "user" && packet_cache != "off";
}

}  // namespace

void forget_files_to_write(Config& config) {
  if (is_file(config.data.packet_cache)) config.data.packet_cache = Config::Data().packet_cache;
}

std::vector<Setting> settings(Config& c) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr int64_t kMany = 1'000'000'000;
  return {
      {"data", "path", "data", "dataset folder, or a list of clips", Setting::Word{&c.data.path, {}}},
      {"data", "layout", "layout", "dataset layout; auto: detect",
       Setting::Word{&c.data.layout, layout_choices()}},
      {"data", "media", "media", "folder that paths in lists are relative to; empty: detect",
       Setting::Word{&c.data.media, {}}},
      {"data", "frames_named", "frames-named",
       "filename pattern of frames in listed folders, for instance img_%05d.jpg; empty: all",
       Setting::Word{&c.data.filename_pattern, {}}},
      {"data", "fold", "fold", "which of several official splits (UCF-101, HMDB-51)",
       Setting::Whole{&c.data.fold, 1, 3}},
      {"data", "split_seed", "split-seed", "random seed of the split, in a dataset without one",
       Setting::Whole{&c.data.split_seed, 0, INT64_MAX}},
      {"data", "train_share", "train-share", "fraction of clips for training, in a dataset without a split",
       Setting::Number{&c.data.train_share, 0, 1}},
      {"data", "validate_share", "validate-share", "fraction of clips for validation; the rest is for test",
       Setting::Number{&c.data.validate_share, 0, 1}},
      {"data", "on_bad_file", "on-bad-file", "a file that does not decode: stop, or exclude it and report",
       Setting::Word{&c.data.on_bad_file, {"stop", "exclude"}}},
      {"data", "workers", "workers", "decoding threads; 0: one per processor",
       Setting::Whole{&c.data.workers, 0, 1024}},
      {"data", "packet_cache", "packet-cache",
       "file that caches the index of videos; auto: in the dataset folder; user: in the user's cache folder; "
       "off: none",
       Setting::Word{&c.data.packet_cache, {}}},

      {"clip", "sampler", "sampler",
       "tsn: frames spread over the whole video (tsn-unbiased: to its very end); dense: frames in a row",
       Setting::Word{&c.clip.sampler, {"tsn", "tsn-unbiased", "dense"}}},
      {"clip", "frames", "frames", "frames per clip", Setting::Whole{&c.clip.frames, 1, 4096}},
      {"clip", "frames_per_segment", "frames-per-segment", "consecutive frames at each place (tsn)",
       Setting::Whole{&c.clip.frames_per_segment, 1, 4096}},
      {"clip", "stride", "stride", "from one frame to the next (dense)",
       Setting::Number{&c.clip.stride, 1, 1000}},
      {"clip", "fps", "fps", "resample to this rate first (dense); 0: take frames as they come",
       Setting::Number{&c.clip.fps, 0, 1000}},
      {"clip", "preset", "preset",
       "settings as published: deck (256-320, 244), torchvision (171x128, 112, Kinetics' colors); others go "
       "beyond it",
       Setting::Word{&c.clip.preset, {"none", "deck", "torchvision"}}},
      {"clip", "size", "size", "height and width the network sees, in pixels",
       Setting::Whole{&c.clip.size, 8, 4096}},
      {"clip", "short_side_min", "short-side-min",
       "frames are scaled to a random short side in min..max, then cropped; 0: 8/7 of size",
       Setting::Whole{&c.clip.short_side_min, 0, 8192}},
      {"clip", "short_side_max", "short-side-max", "evaluation scales to min; 0: 10/7 of size",
       Setting::Whole{&c.clip.short_side_max, 0, 8192}},
      {"clip", "scale", "scale",
       "short-side: as above; area: a random part of the frame (RandomResizedCrop); stretch: to one size",
       Setting::Word{&c.clip.scale, {"short-side", "area", "stretch"}}},
      {"clip", "area", "area", "scale area: smallest and largest fraction of the frame",
       Setting::Numbers{&c.clip.area, 1e-6, 1, 2}},
      {"clip", "aspect", "aspect", "scale area: smallest and largest ratio of width to height",
       Setting::Numbers{&c.clip.aspect, 0.01, 100, 2}},
      {"clip", "stretch_width", "stretch-width", "scale stretch: of every picture, before the crop",
       Setting::Whole{&c.clip.stretch_width, 1, 8192}},
      {"clip", "stretch_height", "stretch-height", "scale stretch: of every picture, before the crop",
       Setting::Whole{&c.clip.stretch_height, 1, 8192}},
      {"clip", "flip", "flip", "probability of mirroring a training clip; 0 where left and right matter",
       Setting::Number{&c.clip.flip, 0, 1}},
      {"clip", "flip_vertically", "flip-vertically", "probability of turning a training clip upside down",
       Setting::Number{&c.clip.flip_vertically, 0, 1}},
      {"clip", "brightness", "brightness", "color jitter: factors 1-x to 1+x; 0: none",
       Setting::Number{&c.clip.brightness, 0, 10}},
      {"clip", "contrast", "contrast", "the same, around each frame's mean gray",
       Setting::Number{&c.clip.contrast, 0, 10}},
      {"clip", "saturation", "saturation", "the same, around each pixel's gray",
       Setting::Number{&c.clip.saturation, 0, 10}},
      {"clip", "hue", "hue", "color jitter: rotation by up to this fraction of the color circle",
       Setting::Number{&c.clip.hue, 0, 0.5}},
      {"clip", "rand_augment", "rand-augment", "RandAugment: ops for each training clip; 0: none",
       Setting::Whole{&c.clip.rand_augment, 0, 14}},
      {"clip", "rand_magnitude", "rand-magnitude", "RandAugment: strength",
       Setting::Whole{&c.clip.rand_magnitude, 0, 30}},
      {"clip", "erase", "erase", "probability of erasing a rectangle of a training clip",
       Setting::Number{&c.clip.erase, 0, 1}},
      {"clip", "mean", "mean", "of red, green, blue in 0..1, subtracted",
       Setting::Numbers{&c.clip.mean, 0, 1, 3}},
      {"clip", "std", "std", "of red, green, blue, divided by", Setting::Numbers{&c.clip.std, 1e-3, 1e3, 3}},
      {"clip", "single_frame", "single-frame", "control: a clip shows one of its frames throughout",
       Setting::Flag{&c.clip.single_frame}},

      {"model", "name", "model", "model name; laban describe lists them", Setting::Word{&c.model.name, {}}},
      {"model", "weights", "weights", "initialize from this file (safetensors or PyTorch); empty: random",
       Setting::Word{&c.model.weights, {}}},
      {"model", "midplanes", "midplanes",
       "middle channels of (2+1)D convolutions: torchvision (once a block) or per-conv (VMZ, the paper)",
       Setting::Word{&c.model.midplanes, {"torchvision", "per-conv"}}},
      {"model", "shortcut", "shortcut", "where a block changes shape: B (projection) or A (subsample, zeros)",
       Setting::Word{&c.model.shortcut, {"B", "A"}}},
      {"model", "norm_eps", "norm-eps", "of every batch norm; VMZ's weights want 0.001",
       Setting::Number{&c.model.norm_eps, 1e-12, 1}},
      {"model", "dropout", "dropout", "before the last layer", Setting::Number{&c.model.dropout, 0, 0.99}},

      {"train", "epochs", "epochs", "passes over the training clips",
       Setting::Whole{&c.train.epochs, 1, kMany}},
      {"train", "batch", "batch", "clips that go through the network together",
       Setting::Whole{&c.train.batch, 1, 65536}},
      {"train", "accumulation", "accumulation", "batches whose gradients make one step",
       Setting::Whole{&c.train.accumulation, 1, 65536}},
      {"train", "label_smoothing", "label-smoothing", "fraction of the target spread over all classes",
       Setting::Number{&c.train.label_smoothing, 0, 0.99}},
      {"train", "seed", "seed",
       "of the first weights, the order of clips, sampling, augmentation and dropout",
       Setting::Whole{&c.train.seed, 0, INT64_MAX}},
      {"train", "ema", "ema",
       "average the weights with this decay, for instance 0.999, and use the average; 0: no",
       Setting::Number{&c.train.ema, 0, 0.9999999}},
      {"train", "balance", "balance", "show every class equally often, repeating clips of small ones",
       Setting::Flag{&c.train.balance}},
      {"train", "mixup", "mixup", "blend pairs of clips with weights from Beta(a, a); 0: off",
       Setting::Number{&c.train.mixup, 0, 100}},
      {"train", "cutmix", "cutmix", "paste boxes of clips into others, area from Beta(a, a); 0: off",
       Setting::Number{&c.train.cutmix, 0, 100}},
      {"train", "patience", "patience", "stop after N epochs without a better validation accuracy; 0: never",
       Setting::Whole{&c.train.patience, 0, kMany}},
      {"train", "checkpoint_every", "checkpoint-every", "steps; 0: at the end of every epoch only",
       Setting::Whole{&c.train.checkpoint_every, 0, kMany}},

      {"finetune", "freeze", "freeze", "frozen layers, with all within them; backbone: all but fc",
       Setting::Words{&c.finetune.freeze}},
      {"finetune", "freeze_norms", "freeze-norms",
       "batch norms use their running statistics, which stay as they are",
       Setting::Flag{&c.finetune.freeze_norms}},
      {"finetune", "features", "features", "train fc alone, on what `laban features` wrote into this file",
       Setting::Word{&c.finetune.features, {}}},

      {"optimizer", "kind", "optimizer", "sgd, adam or adamw",
       Setting::Word{&c.optimizer.kind, {"sgd", "adam", "adamw"}}},
      {"optimizer", "lr", "lr", "the learning rate after warm-up",
       Setting::Number{&c.optimizer.lr, 1e-12, 1e6}},
      {"optimizer", "momentum", "momentum", "SGD momentum",
       Setting::Number{&c.optimizer.momentum, 0, 0.99999}},
      {"optimizer", "nesterov", "nesterov", "sgd looks ahead along its momentum",
       Setting::Flag{&c.optimizer.nesterov}},
      {"optimizer", "beta1", "beta1", "of adam and adamw", Setting::Number{&c.optimizer.beta1, 0, 0.99999}},
      {"optimizer", "beta2", "beta2", "of adam and adamw", Setting::Number{&c.optimizer.beta2, 0, 0.9999999}},
      {"optimizer", "eps", "eps", "of adam and adamw", Setting::Number{&c.optimizer.eps, 1e-30, 1}},
      {"optimizer", "weight_decay", "weight-decay", "part of the gradient, but decoupled in adamw",
       Setting::Number{&c.optimizer.weight_decay, 0, 1e3}},
      {"optimizer", "decay_norms", "decay-norms", "weight decay for biases and batch norms too",
       Setting::Flag{&c.optimizer.decay_norms}},
      {"optimizer", "clip_norm", "clip-norm", "scale gradients down to this norm; 0: never",
       Setting::Number{&c.optimizer.clip_norm, 0, kInfinity}},
      {"optimizer", "lr_scales", "lr-scales",
       "factors of the learning rate by the beginning of a parameter's name; 0: its weights stay, but not "
       "its "
       "running statistics (--freeze keeps both)",
       Setting::Scales{&c.optimizer.lr_scales}},

      {"schedule", "kind", "schedule", "constant, step or cosine",
       Setting::Word{&c.schedule.kind, {"constant", "step", "cosine"}}},
      {"schedule", "warmup_epochs", "warmup-epochs", "epochs of linear learning rate warm-up",
       Setting::Number{&c.schedule.warmup_epochs, 0, kMany}},
      {"schedule", "warmup_start", "warmup-start", "fraction of the learning rate to start from",
       Setting::Number{&c.schedule.warmup_start, 0, 1}},
      {"schedule", "last_lr", "last-lr", "final cosine learning rate",
       Setting::Number{&c.schedule.last_lr, 0, 1e6}},
      {"schedule", "milestones", "milestones", "epochs after which step multiplies by gamma",
       Setting::Numbers{&c.schedule.milestones, 0, kMany, 0}},
      {"schedule", "gamma", "gamma", "the factor of step", Setting::Number{&c.schedule.gamma, 0, 1}},

      {"machine", "device", "device", "auto: cuda where a GPU works, else cpu; reference: plain loops, slow",
       Setting::Word{&c.machine.device, {"auto", "cpu", "cuda", "reference"}}},
      {"machine", "precision", "precision", "f32, tf32 (cuda only), bf16 or f64 (reference only)",
       Setting::Word{&c.machine.precision, {"f32", "tf32", "bf16", "f64"}}},
      {"machine", "threads", "threads",
       "that compute; 0: one per processor; another number may round differently",
       Setting::Whole{&c.machine.threads, 0, 1024}},
      {"machine", "gpu", "gpu", "CUDA device index, as in nvidia-smi",
       Setting::Whole{&c.machine.gpu, 0, 1023}},
      {"machine", "deterministic", "deterministic",
       "cuda: only algorithms that give the same bits in every run", Setting::Flag{&c.machine.deterministic}},
      {"machine", "exact_weights", "exact-weights",
       "cuda, bf16: gradients of weights are never rounded to bf16 on their way; slower",
       Setting::Flag{&c.machine.exact_weights}},
      {"machine", "autotune", "autotune",
       "cuda: time the convolution algorithms of each shape and remember the winners",
       Setting::Flag{&c.machine.autotune}},
      {"machine", "graph", "graph", "cuda: record a step once and replay it",
       Setting::Flag{&c.machine.graph}},
  };
}

void apply_preset(Config& config) {
  Config::Clip& clip = config.clip;
  if (clip.preset == "deck") {
    clip.scale = "short-side", clip.short_side_min = 256, clip.short_side_max = 320, clip.size = 244;
    clip.flip = 0.5;
    clip.mean = {0.45, 0.45, 0.45}, clip.std = {0.225, 0.225, 0.225};
  } else if (clip.preset == "torchvision") {
    clip.scale = "stretch", clip.stretch_width = 171, clip.stretch_height = 128, clip.size = 112;
    clip.flip = 0.5;
    clip.mean = {0.43216, 0.394666, 0.37645}, clip.std = {0.22803, 0.22145, 0.216989};
  }
}

void resolve(Config& config) {
  Config::Clip& clip = config.clip;
  if (clip.short_side_min == 0)
    clip.short_side_min = clip.short_side_max > 0 ? std::min(clip.short_side_max, (clip.size * 8 + 6) / 7)
                                                  : (clip.size * 8 + 6) / 7;
  if (clip.short_side_max == 0) clip.short_side_max = std::max(clip.short_side_min, (clip.size * 10 + 6) / 7);

  if (clip.scale == "stretch" && std::min(clip.stretch_width, clip.stretch_height) < clip.size)
    throw UsageError(text("clips of clip.size ", clip.size, " cannot be cut out of pictures of ",
                          clip.stretch_width, "x", clip.stretch_height),
                     "--stretch-width and --stretch-height must be at least --size.");
  if (clip.area[0] > clip.area[1] || clip.aspect[0] > clip.aspect[1])
    throw UsageError("clip.area and clip.aspect name the smaller number first");
  if (clip.short_side_min < clip.size)
    throw UsageError(text("clip.short_side_min is ", clip.short_side_min, ", but clips of clip.size ",
                          clip.size, " are cut out of it"),
                     "--short-side-min must be at least --size.");
  if (clip.short_side_max < clip.short_side_min)
    throw UsageError(text("clip.short_side_max is ", clip.short_side_max, ", less than clip.short_side_min, ",
                          clip.short_side_min));
  if (clip.frames % clip.frames_per_segment != 0)
    throw UsageError(text("clip.frames is ", clip.frames, ", no multiple of clip.frames_per_segment, ",
                          clip.frames_per_segment));
  if (config.data.train_share + config.data.validate_share > 1 + 1e-9)
    throw UsageError(text("data.train_share ", config.data.train_share, " and data.validate_share ",
                          config.data.validate_share, " add up to more than 1"));
  if (config.schedule.warmup_epochs > static_cast<double>(config.train.epochs))
    throw UsageError(text("schedule.warmup_epochs is ", config.schedule.warmup_epochs,
                          ", but there are only ", config.train.epochs, " epochs"),
                     "Set --warmup-epochs to less.");
  if (config.schedule.kind == "step" && config.schedule.milestones.empty())
    throw UsageError("schedule.kind is step, but schedule.milestones is empty",
                     "Say after which epochs the learning rate falls, for instance --milestones 20,30,40.");
  if (config.optimizer.nesterov && config.optimizer.kind == "sgd" && config.optimizer.momentum == 0)
    throw UsageError("optimizer.nesterov needs a momentum, but optimizer.momentum is 0");
  if (!config.finetune.features.empty() && config.train.cutmix > 0)
    throw UsageError("train.cutmix puts boxes of pixels into clips, but finetune.features shows none",
                     "--mixup works with --features, too.");
  if (config.machine.precision == "f64" && config.machine.device != "reference")
    throw UsageError(text("machine.precision is f64, which ", config.machine.device, " does not offer"),
                     "--device reference computes in f64 (slowly).");
  if (config.machine.precision == "tf32" && config.machine.device != "cuda")
    throw UsageError(text("machine.precision is tf32, which ", config.machine.device, " does not offer"),
                     "TF32 is a format of NVIDIA's tensor cores; use --precision f32.");
  // A name nobody knows is an error of model_by_name; a family's own classes do not matter here.
  model_by_name(config.model.name, 2);
}

LoaderSettings loader_settings(const Config& config, SampleMode mode) {
  const Config::Clip& clip = config.clip;
  LoaderSettings loader;
  loader.sampler.kind = clip.sampler == "dense"          ? SamplerKind::dense
                        : clip.sampler == "tsn-unbiased" ? SamplerKind::tsn_unbiased
                                                         : SamplerKind::tsn;
  loader.sampler.frames_per_segment = static_cast<int>(clip.frames_per_segment);
  loader.sampler.segments = static_cast<int>(clip.frames / clip.frames_per_segment);
  loader.sampler.stride = clip.stride;
  loader.sampler.fps = clip.fps;
  loader.transform.crop = static_cast<int>(clip.size);
  loader.transform.short_side_min = static_cast<int>(clip.short_side_min);
  loader.transform.short_side_max = static_cast<int>(clip.short_side_max);
  loader.transform.rule = clip.scale == "area"      ? ScaleRule::area
                          : clip.scale == "stretch" ? ScaleRule::stretch
                                                    : ScaleRule::short_side;
  loader.transform.area_min = clip.area[0], loader.transform.area_max = clip.area[1];
  loader.transform.aspect_min = clip.aspect[0], loader.transform.aspect_max = clip.aspect[1];
  loader.transform.stretch_width = static_cast<int>(clip.stretch_width);
  loader.transform.stretch_height = static_cast<int>(clip.stretch_height);
  loader.transform.flip = clip.flip;
  loader.transform.flip_vertically = clip.flip_vertically;
  loader.transform.augment = {.brightness = clip.brightness,
                              .contrast = clip.contrast,
                              .saturation = clip.saturation,
                              .hue = clip.hue,
                              .rand_augment = static_cast<int>(clip.rand_augment),
                              .rand_magnitude = static_cast<int>(clip.rand_magnitude),
                              .erase = clip.erase};
  for (size_t i = 0; i < 3; ++i) {
    loader.transform.mean[i] = static_cast<float>(clip.mean[i]);
    loader.transform.std[i] = static_cast<float>(clip.std[i]);
  }
  loader.mode = mode;
  loader.batch = static_cast<int>(config.train.batch);
  loader.shuffle = loader.drop_last = mode == SampleMode::train;
  loader.balance = mode == SampleMode::train && config.train.balance;
  loader.workers = static_cast<int>(config.data.workers);
  loader.seed = static_cast<uint64_t>(config.train.seed);
  loader.single_frame = clip.single_frame;
  const std::string& packets = config.data.packet_cache;
  loader.keep_packets = packets != "off";
  loader.packets_beside = packets != "user";
  if (is_file(packets)) loader.packets = packets;
  loader.on_bad_file = config.data.on_bad_file == "exclude" ? OnBadFile::exclude : OnBadFile::stop;
  return loader;
}

OptimizerSettings optimizer_settings(const Config& config) {
  const Config::Optimize& from = config.optimizer;
  OptimizerSettings to;
  to.kind = from.kind == "sgd"    ? OptimizerKind::sgd
            : from.kind == "adam" ? OptimizerKind::adam
                                  : OptimizerKind::adamw;
  to.momentum = from.momentum;
  to.nesterov = from.nesterov;
  to.beta1 = from.beta1;
  to.beta2 = from.beta2;
  to.eps = from.eps;
  to.weight_decay = from.weight_decay;
  to.decay_norms = from.decay_norms;
  to.clip_norm = from.clip_norm;
  to.lr_scales = from.lr_scales;
  return to;
}

FreezeSettings freeze_settings(const Config& config) {
  FreezeSettings settings{.layers = config.finetune.freeze, .norms = config.finetune.freeze_norms};
  if (!config.finetune.features.empty()) settings.layers.push_back("backbone");
  return settings;
}

ScheduleSettings schedule_settings(const Config& config, int64_t steps_per_epoch) {
  const Config::Schedule& from = config.schedule;
  const auto steps = [&](double epochs) {
    return static_cast<int64_t>(epochs * static_cast<double>(steps_per_epoch) + 0.5);
  };
  ScheduleSettings to;
  to.kind = from.kind == "constant" ? ScheduleKind::constant
            : from.kind == "step"   ? ScheduleKind::step
                                    : ScheduleKind::cosine;
  to.base = config.optimizer.lr;
  to.total_steps = config.train.epochs * steps_per_epoch;
  to.warmup_steps = steps(from.warmup_epochs);
  to.warmup_start = from.warmup_start;
  to.last = from.last_lr;
  for (const double epoch : from.milestones) to.milestones.push_back(steps(epoch));
  to.gamma = from.gamma;
  return to;
}

DatasetSettings dataset_settings(const Config& config) {
  const Config::Data& data = config.data;
  return {.layout = data.layout,
          .fold = static_cast<int>(data.fold),
          .filename_pattern = data.filename_pattern,
          .media = data.media,
          .keep_missing = data.on_bad_file == "exclude",
          .split = {static_cast<uint64_t>(data.split_seed), data.train_share, data.validate_share}};
}

ModelSpec model_spec(const Config& config, int64_t classes) {
  ModelSpec spec = model_by_name(config.model.name, classes);
  spec.midplanes =
      config.model.midplanes == "per-conv" ? MidplanesRule::per_conv : MidplanesRule::torchvision;
  spec.shortcut = config.model.shortcut == "A" ? ShortcutKind::subsample : ShortcutKind::projection;
  spec.norm_eps = config.model.norm_eps;
  spec.dropout = config.model.dropout;
  return spec;
}

DType compute_type(const Config& config) {
  return config.machine.precision == "f64"    ? DType::f64
         : config.machine.precision == "bf16" ? DType::bf16
                                              : DType::f32;
}

}  // namespace laban
