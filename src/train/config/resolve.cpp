// What follows from other settings, and what does not go together.
#include <algorithm>

#include "core/error.h"
#include "models/families.h"
#include "train/config/config.h"
#include "train/config/words.h"

namespace laban {
namespace {

void resolve_clip(Config::Clip& clip) {
  TransformSettings& view = clip.transform;
  const ShortSides sides = short_sides(view);  // written down, so that the saved config says what was used
  view.short_side_min = sides.min, view.short_side_max = sides.max;
  if (view.rule == ScaleRule::stretch &&
      (view.stretch_width < view.crop.width || view.stretch_height < view.crop.height))
    throw UsageError(text("clips of clip.size ", size_text(view.crop),
                          " (height x width) cannot be cut out of pictures of ", view.stretch_width, "x",
                          view.stretch_height, " (width x height)"),
                     "--stretch-width and --stretch-height must be at least --size.");
  if (view.area[0] > view.area[1] || view.aspect[0] > view.aspect[1])
    throw UsageError("clip.area and clip.aspect name the smaller number first");
  if (view.short_side_min < view.crop.short_side())
    throw UsageError(text("clip.short_side_min is ", view.short_side_min, ", but clips of clip.size ",
                          size_text(view.crop), " are cut out of it"),
                     "--short-side-min must be at least --size.");
  if (view.short_side_max < view.short_side_min)
    throw UsageError(text("clip.short_side_max is ", view.short_side_max, ", less than clip.short_side_min, ",
                          view.short_side_min));
  if (clip.sampler.frames % clip.sampler.frames_per_segment != 0)
    throw UsageError(text("clip.frames is ", clip.sampler.frames,
                          ", no multiple of clip.frames_per_segment, ", clip.sampler.frames_per_segment));
}

void validate_training(const Config& config) {
  if (config.schedule.warmup_epochs > static_cast<double>(config.train.epochs))
    throw UsageError(text("schedule.warmup_epochs is ", config.schedule.warmup_epochs,
                          ", but there are only ", config.train.epochs, " epochs"),
                     "Set --warmup-epochs to less.");
  if (config.schedule.kind == ScheduleKind::step && config.schedule.milestones.empty())
    throw UsageError("schedule.kind is step, but schedule.milestones is empty",
                     "Say after which epochs the learning rate falls, for instance --milestones 20,30,40.");
  if (config.optimizer.nesterov && config.optimizer.kind == OptimizerKind::sgd &&
      config.optimizer.momentum == 0)
    throw UsageError("optimizer.nesterov needs a momentum, but optimizer.momentum is 0");
  if (config.train.balance && config.train.loss_weights == "balanced")
    throw UsageError(
        "train.balance and train.loss_weights = \"balanced\" would both make up for uneven classes",
        "Give one of --balance and --loss-weights balanced.");
  if (config.train.patience > 0 && config.train.best_by == BestBy::last)
    throw UsageError(text("train.patience is ", config.train.patience,
                          ", but by train.best_by, which is last, every epoch improves on the one before"),
                     "Omit --patience, or give --best-by loss.");
  if (!config.finetune.features.empty() && config.train.mix.cutmix > 0)
    throw UsageError("train.cutmix puts boxes of pixels into clips, but finetune.features shows none",
                     "--mixup works with --features, too.");
}

void validate_machine(const Config::Machine& machine) {
  const auto refuse = [&](const char* advice) {
    throw UsageError(text("machine.precision is ", word_of(machine.precision), ", which ",
                          word_of(machine.device), " does not offer"),
                     advice);
  };
  if (machine.precision == Precision::f64 && machine.device != DeviceKind::reference)
    refuse("--device reference computes in f64 (slowly).");
  if (machine.precision == Precision::tf32 && machine.device != DeviceKind::cuda)
    refuse("TF32 is a format of NVIDIA's tensor cores; use --precision f32.");
}

}  // namespace

void apply_preset(Config& config) {
  TransformSettings& view = config.clip.transform;
  switch (config.clip.preset) {
    case Preset::none:
      break;
    case Preset::deck:
      view.rule = ScaleRule::short_side, view.short_side_min = 256, view.short_side_max = 320;
      view.crop = 244, view.flip = 0.5;
      view.mean = {0.45f, 0.45f, 0.45f}, view.std = {0.225f, 0.225f, 0.225f};
      break;
    case Preset::torchvision:
      view.rule = ScaleRule::stretch, view.stretch_width = 171, view.stretch_height = 128;
      view.crop = 112, view.flip = 0.5;
      view.mean = {0.43216f, 0.394666f, 0.37645f}, view.std = {0.22803f, 0.22145f, 0.216989f};
      break;
  }
}

void resolve(Config& config) {
  resolve_clip(config.clip);
  const SplitSettings& split = config.data.dataset.split;
  if (split.train + split.val > 1 + 1e-9)
    throw UsageError(text("data.train_fraction ", split.train, " and data.val_fraction ", split.val,
                          " add up to more than 1"));
  validate_training(config);
  validate_machine(config.machine);
  // A name nobody knows is an error of model_by_name; a family's own classes do not matter here.
  model_by_name(config.model.name, 2);
}

}  // namespace laban
