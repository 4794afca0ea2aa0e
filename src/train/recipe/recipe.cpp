#include "train/recipe/recipe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "train/config/words.h"
#include "train/floor/floor.h"
#include "train/log/json_fields.h"
#include "train/report/text.h"

namespace laban {
namespace {

using fields::Json;
using report::fixed;
constexpr const char* kFormat = "laban.recipe.1";

/// Sizes of clips, smallest first. The pixels are those of a frame.
struct ClipSize {
  int frames;
  double area;
  double volume() const { return frames * area; }
};
constexpr std::array<ClipSize, 7> kSizes{{{8, 48 * 48},
                                          {16, 40 * 40},
                                          {16, 56 * 56},
                                          {16, 64 * 64},
                                          {16, 72 * 96},
                                          {16, 96 * 96},
                                          {16, 112 * 112}}};
/// Smaller clips than this only where fewer epochs than kFewestOfSmall of it fit: too little is seen on them.
constexpr size_t kSmallSize = 2;
constexpr double kFewestOfSmall = 20;
constexpr size_t kTrialSize = 3;  // 16 x 56 x 72 at 4:3
/// Larger clips than that only with time to spare, as multiples of the wanted epochs.
constexpr std::array<double, 7> kSpare{1, 1, 1, 1, 2, 3, 4};

constexpr double kEpochsOfSmallSet = 60, kSmallSet = 500, kFewestEpochs = 15, kMostTimes = 4;
/// Seconds an epoch takes whatever its clips: checkpoints, threads that start anew.
constexpr double kEpochOverhead = 0.25;
/// Of the time there is: the rest is for what cannot be foreseen.
constexpr double kUsable = 0.97;
/// A forward pass takes a third of a step.
constexpr double kForward = 1.0 / 3;
/// Bytes of a JPEG picture in a cache, per pixel (quality 92).
constexpr double kBytesPerPixel = 0.5;

/// The flags that a recipe may set.
constexpr std::array kChosen{
    "size",     "scale",        "zoom",      "flip",     "sampler",       "frames",       "fps",
    "model",    "dropout",      "batch",     "epochs",   "optimizer",     "lr",           "momentum",
    "nesterov", "weight-decay", "clip-norm", "schedule", "warmup-epochs", "warmup-start", "label-smoothing",
    "balance",  "cache"};

std::string plain(double value, int digits = 3) {
  std::string out = fixed(value, digits);
  if (out.find('.') == std::string::npos) return out;
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) out.pop_back();
  return out;
}
/// As a flag takes it: few digits, but never rounded to zero.
std::string digits(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return buffer;
}

std::string minutes_text(double seconds) {
  return seconds < 3    ? text(plain(seconds, 1), " s")
         : seconds < 90 ? text(static_cast<int64_t>(std::lround(seconds)), " s")
                        : text(plain(seconds / 60, 1), " min");
}

std::string clip_text(const Config& config) {
  return text(config.clip.sampler.frames, " frames of ", size_text(config.clip.transform.crop));
}

}  // namespace

PictureSize rectangle(double aspect, double area) {
  PictureSize best{24, 24};
  double least = INFINITY;
  for (int height = 24; height <= 512; height += 8)
    for (int width = 24; width <= 512; width += 8) {
      const double stretch = std::abs(std::log(static_cast<double>(width) / height / aspect)),
                   excess = std::abs(std::log(static_cast<double>(width) * height / area));
      if (const double cost = stretch + excess; cost < least) least = cost, best = {height, width};
    }
  return best;
}

GivenSettings::GivenSettings(std::vector<std::string> flags, Roles noted)
    : flags_(flags.begin(), flags.end()) {
  if (flags_.contains("preset"))
    for (const char* flag : {"size", "scale", "zoom", "flip"}) flags_.insert(flag);
  for (const char* flag :
       {"short-side-min", "short-side-max", "area", "aspect", "stretch-width", "stretch-height"})
    if (flags_.contains(flag)) flags_.insert("scale");
  if (flags_.contains("stride") || flags_.contains("fps") || flags_.contains("frames-per-segment"))
    flags_.insert("sampler");
  if (flags_.contains("sampler")) flags_.insert("fps");
  for (const std::string& flag : flags_with(noted)) flags_.insert(flag);
}

bool GivenSettings::leaves_something() const {
  return std::ranges::any_of(kChosen, [&](const char* flag) { return !has(flag); });
}

RecipeMaker::RecipeMaker(Config& config, GivenSettings given, DataFacts facts, bool timed)
    : config_(config), given_(std::move(given)), timed_(timed) {
  recipe_.facts = std::move(facts);
  recipe_.minutes = timed ? config.recipe.minutes : 0;
  decide_picture();
  decide_sampler();
  decide_training();
  trials_left_ = 2;
}

void RecipeMaker::set(Decision& decision, const std::string& flag, const std::string& value) {
  if (given_.has(flag)) return;
  apply_flag(config_, flag, value);
  decision.settings.emplace_back(flag, value);
}

void RecipeMaker::decide_picture() {
  const DataFacts& facts = recipe_.facts;
  size_open_ = !given_.has("size");
  size_ = kTrialSize;
  if (size_open_) {
    const double most = facts.width > 0 ? static_cast<double>(facts.width) * facts.height : INFINITY;
    while (size_ > 0 && kSizes[size_].area > 1.1 * most) --size_;  // nothing is gained by enlarging
    config_.clip.transform.crop = rectangle(facts.aspect > 0 ? facts.aspect : 1, kSizes[size_].area);
  }
  if (!given_.has("frames")) config_.clip.sampler.frames = kSizes[size_].frames;

  Decision look{.topic = "look", .settings = {}, .value = {}, .why = {}};
  set(look, "scale", "frame");
  if (config_.clip.transform.rule == ScaleRule::frame) set(look, "zoom", "1.2");
  set(look, "flip", facts.sided_class.empty() ? "0.5" : "0");
  if (look.settings.empty()) return;
  const bool whole = config_.clip.transform.rule == ScaleRule::frame;
  look.value = text(whole ? text("the whole frame, in training up to ", plain(config_.clip.transform.zoom, 2),
                                 " times enlarged")
                          : text("scale ", word_of(config_.clip.transform.rule)),
                    config_.clip.transform.flip > 0 ? ", half of the clips mirrored" : ", nothing mirrored");
  look.why = facts.sided_class.empty()
                 ? "what tells classes apart may happen at the border"
                 : text("class '", facts.sided_class, "' would be another one mirrored");
  recipe_.decisions.push_back(std::move(look));
}

/// Frames at a fixed rate tell fast from slow, but see only a part of a long clip.
void RecipeMaker::decide_sampler() {
  const DataFacts& facts = recipe_.facts;
  if (given_.has("sampler")) return;
  Decision time{.topic = "time", .settings = {}, .value = {}, .why = {}};
  constexpr double kSlowest = 4;  // frames a second
  const double covered = config_.clip.sampler.frames / kSlowest;
  const bool short_clips = facts.short_seconds > 0 && facts.median_seconds <= 2 * covered;
  if (!short_clips) {
    set(time, "sampler", "tsn");
    time.value = "spread over the whole clip";
    time.why = facts.median_seconds > 0
                   ? text("a clip lasts ", plain(facts.median_seconds, 1), " s, more than twice what ",
                          config_.clip.sampler.frames, " frames at ", plain(kSlowest, 0), " a second cover")
                   : std::string("the clips have no frame rate");
  } else {
    const double fps = std::clamp(config_.clip.sampler.frames / facts.short_seconds, kSlowest,
                                  std::max(kSlowest, facts.fps > 0 ? facts.fps : kSlowest));
    set(time, "sampler", "dense");
    set(time, "fps", plain(fps, 1));
    time.value = text(plain(config_.clip.sampler.fps, 1), " frames a second, in a row");
    time.why =
        text("a clip lasts ", plain(facts.median_seconds, 1), " s (a tenth of them less than ",
             plain(facts.short_seconds, 1), "): most of it is seen at a rate that is the same for all");
  }
  recipe_.decisions.push_back(std::move(time));
}

void RecipeMaker::decide_training() {
  const DataFacts& facts = recipe_.facts;
  Decision model{.topic = "model", .settings = {}, .value = {}, .why = {}};
  const bool large = !timed_ && facts.train_clips >= 1000;
  set(model, "model", large ? "r2plus1d_18" : "r2plus1d_tiny");
  if (config_.model.weights.empty()) set(model, "dropout", facts.train_clips < 2000 ? "0.3" : "0.1");
  if (!model.settings.empty()) {
    model.value = text(config_.model.name, ", dropout ", plain(config_.model.options.dropout, 2));
    model.why = large ? "enough clips for a large network, and a GPU"
                      : text("from scratch, ", facts.train_clips, " clips do not feed a larger one");
    if (!config_.model.weights.empty()) model.why = "that of the weights";
    recipe_.decisions.push_back(std::move(model));
  }

  Decision step{.topic = "batch", .settings = {}, .value = {}, .why = {}};
  const auto batch = std::clamp<int64_t>(facts.train_clips / 4, 2, 16);
  set(step, "batch", std::to_string(std::min(batch, std::max<int64_t>(1, facts.train_clips))));
  if (!step.settings.empty()) {
    step.value = text(config_.train.batch, " clips");
    step.why = batch < 16 ? text("there are only ", facts.train_clips, " training clips")
                          : std::string("small batches are as fast here, and give more steps");
    recipe_.decisions.push_back(std::move(step));
  }

  if (facts.imbalance() >= static_cast<double>(kUneven) && !given_.has("balance") &&
      !given_.has("loss-weights")) {
    Decision classes{.topic = "classes", .settings = {}, .value = {}, .why = {}};
    set(classes, "balance", "true");
    classes.value = "every class equally often, clips of small ones repeatedly";
    classes.why = text("the largest has ", plain(facts.imbalance(), 1), " times the clips of the smallest");
    recipe_.decisions.push_back(std::move(classes));
  }

  Decision optimizer{.topic = "optimizer", .settings = {}, .value = {}, .why = {}};
  set(optimizer, "optimizer", "sgd");
  const bool sgd = config_.optimizer.kind == OptimizerKind::sgd, tuned = !config_.model.weights.empty();
  if (sgd) {
    set(optimizer, "momentum", "0.9");
    set(optimizer, "nesterov", config_.optimizer.momentum > 0 ? "true" : "false");
  }
  const double clips =
      static_cast<double>(config_.train.batch) * static_cast<double>(config_.train.accumulation);
  set(optimizer, "lr", digits((sgd ? 0.05 : 2e-3) * (tuned ? 0.2 : 1) * std::min(1.0, clips / 16)));
  set(optimizer, "weight-decay", sgd ? "0.001" : "0.01");
  set(optimizer, "clip-norm", "5");
  set(optimizer, "label-smoothing", "0.1");
  if (!optimizer.settings.empty()) {
    optimizer.value =
        text(word_of(config_.optimizer.kind), ", learning rate up to ", digits(config_.schedule.base_lr),
             ", weight decay ", digits(config_.optimizer.weight_decay), ", label smoothing ",
             plain(config_.train.label_smoothing, 2));
    optimizer.why = tuned ? "a fifth of the rate from scratch: the weights are to be kept, not replaced"
                          : "0.05 for 16 clips, less for fewer";
    recipe_.decisions.push_back(std::move(optimizer));
  }
}

double RecipeMaker::wanted_epochs() const {
  if (given_.has("epochs")) return static_cast<double>(config_.train.epochs);
  const auto clips = static_cast<double>(std::max<int64_t>(1, recipe_.facts.train_clips));
  return std::clamp(kEpochsOfSmallSet * std::sqrt(kSmallSet / clips), kFewestEpochs, kEpochsOfSmallSet);
}

double RecipeMaker::epoch_seconds(int processors, double rate) const {
  const DataFacts& facts = recipe_.facts;
  // Decoding takes the processors from computing.
  const double read = recipe_.measured.read_seconds / std::max(1, processors);
  return kEpochOverhead + static_cast<double>(facts.train_clips) * (1 / rate + read) +
         static_cast<double>(facts.val_clips) * (kForward / rate + read);
}

double RecipeMaker::floor_seconds(int processors) const {
  const DataFacts& facts = recipe_.facts;
  const auto clips = static_cast<double>(std::min(facts.train_clips, kMostFloorTrainClips) +
                                         std::min(facts.val_clips, kMostFloorOtherClips) +
                                         std::min(facts.test_clips, kMostFloorOtherClips));
  return 1 + clips * (recipe_.measured.read_seconds / std::max(1, processors) + 2e-3);
}

void RecipeMaker::tried(const TrialResult& result) {
  --trials_left_;
  recipe_.measured.clips_per_second = rate_ = result.clips_per_second;
  recipe_.measured.memory = result.memory;
  rated_volume_ = config_.clip.sampler.frames * static_cast<double>(config_.clip.transform.crop.height) *
                  config_.clip.transform.crop.width;
  if (trials_left_ == 0 || !size_open_) {
    trials_left_ = 0;
    return;
  }
  choose_size();
}

/// The largest clips at which there is time for the wanted epochs.
void RecipeMaker::choose_size() {
  const DataFacts& facts = recipe_.facts;
  const size_t before = size_;
  const double most = static_cast<double>(facts.width) * facts.height;
  size_t chosen = 0;
  for (size_t s = 0; s < kSizes.size(); ++s) {
    if (s > 0 && kSizes[s].area > 1.1 * most) break;
    const double rate = rate_ * rated_volume_ / kSizes[s].volume();
    const double epochs = 60 * recipe_.minutes * 0.9 / epoch_seconds(1, rate);
    const double needed =
        s == kSmallSize ? std::min(kFewestOfSmall, wanted_epochs()) : kSpare[s] * wanted_epochs();
    if (s == 0 || epochs >= needed) chosen = s;
  }
  size_ = chosen;
  if (size_ == before) {
    trials_left_ = 0;
    return;
  }
  config_.clip.transform.crop = rectangle(facts.aspect > 0 ? facts.aspect : 1, kSizes[size_].area);
  if (!given_.has("frames")) config_.clip.sampler.frames = kSizes[size_].frames;
  if (config_.clip.sampler.kind == SamplerKind::dense && !given_.has("sampler") && facts.short_seconds > 0)
    config_.clip.sampler.fps =
        std::clamp(std::round(10 * config_.clip.sampler.frames / facts.short_seconds) / 10, 1.0,
                   std::max(1.0, facts.fps));
}

CachePlan RecipeMaker::plan_cache(double free_bytes, int processors) {
  const DataFacts& facts = recipe_.facts;
  CachePlan plan;
  const TransformSettings& view = config_.clip.transform;
  // The short side at which no clip is enlarged.
  const double aspect = facts.aspect > 0 ? facts.aspect : 1;
  const double high = aspect >= 1 ? view.crop.height : view.crop.height * aspect,
               wide = aspect >= 1 ? view.crop.width / aspect : view.crop.width;
  const double shown = view.rule == ScaleRule::frame ? std::max(high, wide) * view.zoom
                       : view.rule == ScaleRule::stretch
                           ? std::max<double>(view.stretch_width, view.stretch_height)
                           : short_sides(view).max;
  plan.short_side = std::max(8, static_cast<int>(std::ceil(shown / 2)) * 2);
  const int shorter = std::min(facts.width, facts.height);
  const double side = std::min(plan.short_side, std::max(1, shorter));
  const double pixels = side * side * std::max(aspect, 1 / aspect);
  const auto clips = static_cast<double>(facts.all_clips());
  const double frames = clips * facts.mean_frames;
  plan.bytes = frames * pixels * kBytesPerPixel;
  // Every frame is decoded once to be indexed, once to be read, and encoded.
  plan.seconds = (2 * clips * facts.index_seconds + frames * pixels * 2e-8) / std::max(1, processors);
  const auto gib = [](double bytes) { return plain(bytes / (1 << 30), 1) + " GiB"; };

  if (config_.recipe.cache == CacheUse::off) {
    plan.why = "it was not wanted";
    return plan;
  }
  if (!facts.videos) {
    plan.why = "the clips need no video decoder";
    return plan;
  }
  if (config_.recipe.cache == CacheUse::on) {
    plan.use = true;
    plan.why = "it was asked for";
    return plan;
  }
  const double limit = std::min(config_.recipe.cache_limit * (1 << 30), free_bytes / 4);
  if (plan.bytes > limit) {
    plan.why = text("it would take ", gib(plan.bytes), ", and ",
                    limit < config_.recipe.cache_limit * (1 << 30)
                        ? text("only ", gib(free_bytes), " of the disk are free")
                        : text("--cache-limit is ", gib(limit)));
    return plan;
  }
  const double epochs = given_.has("epochs") ? static_cast<double>(config_.train.epochs) : wanted_epochs();
  const double decoding = epochs *
                          (static_cast<double>(facts.train_clips) + static_cast<double>(facts.val_clips)) *
                          facts.read_seconds / std::max(1, processors);
  plan.use = decoding > 2 * plan.seconds && (recipe_.minutes == 0 || plan.seconds < 60 * recipe_.minutes / 4);
  plan.why = text("reading a clip takes ", plain(1000 * facts.read_seconds, 0), " ms of a processor, ",
                  minutes_text(decoding), " in ", plain(epochs, 0), " epochs; making the cache ",
                  minutes_text(plan.seconds));
  return plan;
}

void RecipeMaker::cached(double seconds, int64_t bytes, double read_seconds) {
  recipe_.measured.cache_seconds = seconds;
  recipe_.measured.cache_bytes = bytes;
  recipe_.measured.read_seconds = read_seconds;
  config_.recipe.cache = CacheUse::on;
  Decision decision{.topic = "cache", .settings = {{"cache", "on"}}, .value = {}, .why = {}};
  decision.value =
      text("a shrunken copy of the clips in the run's folder, ",
           plain(static_cast<double>(bytes) / (1 << 20), 0), " MiB; it may be removed after training");
  decision.why = text("reading a clip then takes ", plain(1000 * read_seconds, 1), " ms in place of ",
                      plain(1000 * recipe_.facts.read_seconds, 0));
  recipe_.decisions.push_back(std::move(decision));
}

void RecipeMaker::not_cached(const std::string& why) {
  recipe_.measured.read_seconds = recipe_.facts.read_seconds;
  config_.recipe.cache = CacheUse::off;
  recipe_.decisions.push_back(
      {.topic = "cache", .settings = {{"cache", "off"}}, .value = "none", .why = why});
}

namespace {

std::string heading_of(const Recipe& recipe) {
  const DataFacts& f = recipe.facts;
  return text(
      "recipe for ", f.train_clips, " training clips of ", f.classes, " classes",
      f.imbalance() >= 2 ? text(" (the largest ", plain(f.imbalance(), 1), " times the smallest)") : "",
      f.width > 0 ? text(", ", f.width, "x", f.height) : "",
      f.median_seconds > 0 ? text(", ", plain(f.median_seconds, 1), " s") : "",
      recipe.minutes > 0 ? text(", in ", plain(recipe.minutes, 1), " minutes") : "",
      recipe.planned_seconds > 0 ? text(" (planned: ", minutes_text(recipe.planned_seconds), ")") : "");
}

}  // namespace

Recipe RecipeMaker::finish(double spent_seconds, double floor_seconds, int processors) {
  const DataFacts& facts = recipe_.facts;
  recipe_.measured.spent_seconds = spent_seconds;
  // What the trials decided.
  if (!given_.has("size") || !given_.has("frames")) {
    Decision clips{.topic = "clips", .settings = {}, .value = clip_text(config_), .why = {}};
    const std::string size = config_.clip.transform.crop.square()
                                 ? std::to_string(config_.clip.transform.crop.height)
                                 : size_text(config_.clip.transform.crop);
    set(clips, "size", size);
    set(clips, "frames", std::to_string(config_.clip.sampler.frames));
    clips.why =
        text("the aspect of the data", facts.width > 0 ? text(" (", facts.width, "x", facts.height, ")") : "",
             rate_ > 0 ? text("; ", plain(rate_, 1), " clips a second are trained here") : "");
    recipe_.decisions.insert(recipe_.decisions.begin(), std::move(clips));
  }

  const double wanted = wanted_epochs();
  double fits = wanted * (timed_ ? 1 : 1.5);
  std::string why = text(plain(fits, 0), " epochs suit ", facts.train_clips, " clips");
  if (timed_ && rate_ > 0) {
    const double one = epoch_seconds(processors, rate_);
    const double left = 60 * recipe_.minutes * kUsable - spent_seconds - floor_seconds;
    fits = std::max(1.0, std::floor(left / one));
    why =
        text("what fits into ", plain(recipe_.minutes, 1), " min: an epoch takes about ", minutes_text(one));
    if (fits > kMostTimes * wanted) {
      fits = kMostTimes * wanted;
      why = text("more than that has not been seen to help ", facts.train_clips, " clips");
    }
    if (left < one)
      recipe_.notes.push_back(text("One epoch takes about ", minutes_text(one),
                                   ", so the run will take longer than the ",
                                   minutes_text(60 * recipe_.minutes), " of --minutes."));
    else if (fits < wanted / 2)
      recipe_.notes.push_back(
          text("There is time for ", plain(fits, 0), " epochs, where about ", plain(wanted, 0),
               " would suit this dataset: expect better results with --minutes ",
               plain(std::ceil((spent_seconds + floor_seconds + one * wanted) / 60 / kUsable), 0), "."));
  }
  Decision length{.topic = "length", .settings = {}, .value = {}, .why = std::move(why)};
  set(length, "epochs", std::to_string(std::max<int64_t>(1, std::llround(std::floor(fits)))));
  const auto epochs = static_cast<double>(config_.train.epochs);
  set(length, "schedule", "cosine");
  if (config_.schedule.kind == ScheduleKind::cosine) {
    set(length, "warmup-epochs", digits(std::round(30 * epochs) / 100));
    set(length, "warmup-start", "0.04");
  }
  if (given_.has("epochs")) length.why = "as given";
  length.value =
      text(config_.train.epochs, config_.train.epochs == 1 ? " epoch" : " epochs",
           config_.schedule.kind == ScheduleKind::cosine
               ? text("; the rate rises for ", plain(config_.schedule.warmup_epochs, 1), " and falls to zero")
               : "");
  recipe_.decisions.push_back(std::move(length));
  if (rate_ > 0)
    recipe_.planned_seconds = spent_seconds + floor_seconds + epochs * epoch_seconds(processors, rate_);

  const int64_t few = facts.smallest_class;
  if (few > 0 && few < 5)
    recipe_.notes.push_back(
        text("A class has only ", few, few == 1 ? " training clip" : " training clips",
             ": expect little of it; weights trained on other videos (--weights) help most."));
  if (facts.unreadable > 0)
    recipe_.notes.push_back(text(facts.unreadable, " of ", facts.unreadable + facts.looked_at,
                                 " clips that were looked at cannot be read; `laban check` says why."));
  recipe_.heading = heading_of(recipe_);
  return recipe_;
}

std::string recipe_lines(const Recipe& recipe) {
  std::string lines;
  for (const Decision& d : recipe.decisions) {
    std::string topic = d.topic;
    topic.resize(std::max<size_t>(topic.size(), 10), ' ');
    lines += text("  ", topic, d.value, d.why.empty() ? "" : ": " + d.why, "\n");
  }
  return lines;
}

std::string to_json(const Recipe& recipe) {
  const DataFacts& f = recipe.facts;
  const Measured& m = recipe.measured;
  Json decisions = Json::array();
  for (const Decision& d : recipe.decisions) {
    Json settings = Json::object();
    for (const auto& [flag, value] : d.settings) settings[flag] = value;
    decisions.push_back({{"topic", d.topic}, {"value", d.value}, {"why", d.why}, {"settings", settings}});
  }
  const Json document{{"format", kFormat},
                      {"heading", recipe.heading},
                      {"minutes", recipe.minutes},
                      {"planned_seconds", recipe.planned_seconds},
                      {"decisions", decisions},
                      {"notes", recipe.notes},
                      {"facts",
                       {{"classes", f.classes},
                        {"train_clips", f.train_clips},
                        {"val_clips", f.val_clips},
                        {"test_clips", f.test_clips},
                        {"sources", f.sources},
                        {"imbalance", f.imbalance()},
                        {"looked_at", f.looked_at},
                        {"unreadable", f.unreadable},
                        {"width", f.width},
                        {"height", f.height},
                        {"aspect", f.aspect},
                        {"median_frames", f.median_frames},
                        {"fps", f.fps},
                        {"median_seconds", f.median_seconds},
                        {"short_seconds", f.short_seconds},
                        {"index_seconds", f.index_seconds},
                        {"read_seconds", f.read_seconds}}},
                      {"measured",
                       {{"clips_per_second", m.clips_per_second},
                        {"read_seconds", m.read_seconds},
                        {"cache_seconds", m.cache_seconds},
                        {"cache_bytes", m.cache_bytes},
                        {"spent_seconds", m.spent_seconds},
                        {"memory", m.memory}}}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<Recipe> recipe_of(const std::filesystem::path& run) {
  std::error_code failed;
  const std::filesystem::path file = run / "recipe.json";
  if (!std::filesystem::is_regular_file(file, failed)) return std::nullopt;
  std::string content;
  try {
    content = read_file(file);
  } catch (const FileError&) {
    return std::nullopt;
  }
  const Json document = Json::parse(content, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || fields::word(document, "format") != kFormat) return std::nullopt;
  Recipe recipe;
  recipe.heading = fields::word(document, "heading");
  recipe.minutes = fields::number(document, "minutes");
  recipe.planned_seconds = fields::number(document, "planned_seconds");
  for (const Json& row : fields::list(document, "decisions"))
    if (row.is_object())
      recipe.decisions.push_back({.topic = fields::word(row, "topic"),
                                  .settings = {},
                                  .value = fields::word(row, "value"),
                                  .why = fields::word(row, "why")});
  for (const Json& note : fields::list(document, "notes"))
    if (note.is_string()) recipe.notes.push_back(note.get<std::string>());
  return recipe;
}

}  // namespace laban
