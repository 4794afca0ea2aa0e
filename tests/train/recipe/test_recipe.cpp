#include "train/recipe/recipe.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "train/report/report_fixture.h"

using namespace laban;
using doctest::Contains;

namespace {

/// 320 videos of four uneven classes, ten seconds at 320x240.
DataFacts stations() {
  DataFacts facts;
  facts.classes = 4, facts.train_clips = 320, facts.test_clips = 176, facts.sources = 320;
  facts.largest_class = 185, facts.smallest_class = 39;
  facts.looked_at = 48, facts.width = 320, facts.height = 240, facts.aspect = 4.0 / 3;
  facts.median_frames = 254, facts.mean_frames = 255, facts.fps = 25;
  facts.median_seconds = 10.2, facts.short_seconds = 8;
  facts.index_seconds = 0.06, facts.read_seconds = 0.06;
  return facts;
}

struct Case {
  DataFacts facts = stations();
  std::vector<std::string> given{};
  double minutes = 15, rate = 16;  // clips/s of 16 x 72 x 96 here
  double free_bytes = 1e12;
  bool timed = true;
  Config config{};

  Recipe make() {
    config.recipe.minutes = minutes;
    RecipeMaker maker(config, GivenSettings(given, {}), facts, timed);
    int trials = 0;
    while (maker.wants_trial()) {
      REQUIRE(++trials <= 2);
      const TransformSettings& view = maker.trial_config().clip.transform;
      const double volume =
          maker.trial_config().clip.sampler.frames * view.crop.height * double(view.crop.width);
      maker.tried({.clips_per_second = rate * 16 * 72 * 96 / volume, .steps = 3, .memory = 1 << 20});
    }
    const CachePlan cache = maker.plan_cache(free_bytes, 2);
    if (cache.use)
      maker.cached(cache.seconds, static_cast<int64_t>(cache.bytes), 0.003);
    else
      maker.not_cached(cache.why);
    Recipe recipe = maker.finish(30, maker.floor_seconds(2), 2);
    resolve(config);  // throws where the recipe contradicts itself
    CHECK(recipe.decisions.size() <= 12);
    for (const Decision& d : recipe.decisions) {
      CHECK(!d.value.empty());
      CHECK(d.value.find("nan") == std::string::npos);
      CHECK(d.why.find("nan") == std::string::npos);
    }
    return recipe;
  }
};

const Decision& decision(const Recipe& recipe, const std::string& topic) {
  const auto found = std::ranges::find(recipe.decisions, topic, &Decision::topic);
  REQUIRE(found != recipe.decisions.end());
  return *found;
}

bool notes_say(const Recipe& recipe, const std::string& part) {
  return std::ranges::any_of(recipe.notes,
                             [&](const std::string& n) { return n.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("rectangles keep the aspect, in multiples of 8") {
  CHECK(rectangle(4.0 / 3, 72 * 96) == PictureSize{72, 96});
  CHECK(rectangle(3.0 / 4, 72 * 96) == PictureSize{96, 72});
  CHECK(rectangle(1, 56 * 56) == PictureSize{56});
  CHECK(rectangle(16.0 / 9, 72 * 96) == PictureSize{64, 112});
  for (const double aspect : {0.01, 0.2, 1.0, 5.0, 100.0}) {
    const PictureSize size = rectangle(aspect, 5000);
    CHECK((size.height % 8 == 0 && size.width % 8 == 0 && size.short_side() >= 24));
  }
}

TEST_CASE("a recipe keeps to the time, and says what it chose") {
  Case it;
  const Recipe recipe = it.make();
  CHECK(it.config.clip.transform.rule == ScaleRule::frame);
  CHECK(it.config.clip.sampler.kind == SamplerKind::tsn);
  CHECK(it.config.recipe.cache == CacheUse::on);
  CHECK(it.config.train.batch == 16);
  CHECK(it.config.train.balance);  // 185 clips of one class, 39 of another
  Case even;
  even.facts.largest_class = 77;
  even.make();
  CHECK(!even.config.train.balance);
  CHECK(it.config.train.epochs > 10);
  // Within the time, and at most a tenth below it.
  CHECK(recipe.planned_seconds <= 15 * 60);
  CHECK(recipe.planned_seconds > 15 * 60 * 0.9);
  CHECK(decision(recipe, "clips").value.find("16 frames") != std::string::npos);
  CHECK(it.config.schedule.warmup_epochs ==
        doctest::Approx(0.3 * static_cast<double>(it.config.train.epochs)));
}

TEST_CASE("every setting that is given is kept") {
  Config given;
  given.clip.transform.crop = {48, 64};
  given.clip.sampler = {.kind = SamplerKind::dense, .frames = 4, .stride = 2};
  given.train.epochs = 3, given.train.batch = 5;
  given.schedule.base_lr = 0.007;
  given.optimizer.kind = OptimizerKind::adamw;
  given.clip.transform.flip = 0.125;
  given.model.name = "r3d_tiny";
  Case it;
  it.config = given;
  it.given = {"size", "sampler", "frames", "stride", "epochs", "batch", "lr", "optimizer", "flip", "model"};
  const Recipe recipe = it.make();
  CHECK(it.config.clip.transform.crop == PictureSize{48, 64});
  CHECK(it.config.clip.sampler == given.clip.sampler);
  CHECK((it.config.train.epochs == 3 && it.config.train.batch == 5));
  CHECK(it.config.schedule.base_lr == 0.007);
  CHECK(it.config.optimizer.kind == OptimizerKind::adamw);
  CHECK(it.config.clip.transform.flip == 0.125);
  CHECK(it.config.model.name == "r3d_tiny");
  CHECK(it.config.schedule.warmup_epochs <= 3);
  for (const Decision& d : recipe.decisions)
    for (const auto& [flag, value] : d.settings) CHECK(std::ranges::find(it.given, flag) == it.given.end());
}

TEST_CASE("a preset is a given picture; a config that says everything leaves nothing to choose") {
  Case it;
  apply_flag(it.config, "preset", "torchvision");
  it.given = {"preset"};
  it.make();
  CHECK((it.config.clip.transform.rule == ScaleRule::stretch && it.config.clip.transform.crop == 112));
  std::vector<std::string> all;
  apply_toml(it.config, to_toml(it.config), "config.toml", nullptr, &all);
  CHECK(!GivenSettings(all, {}).leaves_something());
  CHECK(GivenSettings({"size", "lr"}, {}).leaves_something());
}

TEST_CASE("a tenth of a minute and a week, a machine ten times slower or a hundred times faster") {
  for (const double minutes : {0.01, 0.1, 1.0, 15.0, 10000.0})
    for (const double rate : {0.02, 1.6, 16.0, 1600.0}) {
      CAPTURE(minutes);
      CAPTURE(rate);
      Case it;
      it.minutes = minutes, it.rate = rate;
      const Recipe recipe = it.make();
      CHECK((it.config.train.epochs >= 1 && it.config.train.epochs <= 240));
      CHECK(std::isfinite(recipe.planned_seconds));
      if (minutes <= 0.1) CHECK(notes_say(recipe, "longer than"));
    }
  Case slow, usual;
  slow.rate = 1.6;
  const Recipe told = slow.make();
  usual.make();
  CHECK(std::ranges::any_of(
      told.notes, [](const std::string& n) { return n.find("about 60 would suit") != std::string::npos; }));
  CHECK(slow.config.clip.transform.crop.height < usual.config.clip.transform.crop.height);
}

TEST_CASE("two clips a class, nine in ten of one class, and no clip that can be read") {
  Case two;
  two.facts.train_clips = 8, two.facts.largest_class = two.facts.smallest_class = 2;
  const Recipe few = two.make();
  CHECK(two.config.train.batch == 2);
  CHECK(notes_say(few, "only 2 training clips"));
  CHECK(two.config.schedule.base_lr < 0.05);

  Case one;
  one.facts.largest_class = 304, one.facts.smallest_class = 5;
  CHECK(one.make().heading.find("60.8 times") != std::string::npos);

  Case blind;
  blind.facts = DataFacts{};
  blind.facts.classes = 2, blind.facts.train_clips = 20, blind.facts.unreadable = 20;
  CHECK(notes_say(blind.make(), "cannot be read"));
  CHECK(blind.config.clip.transform.crop.square());
}

TEST_CASE("clips of 3 frames, of an hour, pictures without a rate") {
  Case tiny;
  tiny.facts.median_frames = 3, tiny.facts.mean_frames = 3;
  tiny.facts.median_seconds = tiny.facts.short_seconds = 0.12;
  tiny.make();
  CHECK(tiny.config.clip.sampler.kind == SamplerKind::dense);
  CHECK(tiny.config.clip.sampler.fps <= 25);  // never more frames than there are
  Case hour;
  hour.facts.median_frames = 90000, hour.facts.mean_frames = 90000, hour.facts.median_seconds = 3600;
  hour.facts.index_seconds = 1, hour.facts.read_seconds = 2;
  const Recipe recipe = hour.make();
  CHECK(hour.config.recipe.cache == CacheUse::off);
  CHECK(decision(recipe, "cache").why.find("GiB") != std::string::npos);
  Case pictures;
  pictures.facts.fps = pictures.facts.median_seconds = pictures.facts.short_seconds = 0;
  pictures.facts.videos = false;
  pictures.make();
  CHECK(pictures.config.clip.sampler.kind == SamplerKind::tsn);
  CHECK(pictures.config.recipe.cache == CacheUse::off);
  Case small;
  small.facts.width = 40, small.facts.height = 30;
  small.make();
  CHECK(small.config.clip.transform.crop.height <= 40);  // nothing is enlarged much
}

TEST_CASE("a cache only where it pays and fits") {
  Case full;
  full.free_bytes = 1e6;
  CHECK(decision(full.make(), "cache").why.find("of the disk are free") != std::string::npos);
  CHECK(full.config.recipe.cache == CacheUse::off);
  Case limited;
  limited.config.recipe.cache_limit = 0.1;
  CHECK(decision(limited.make(), "cache").why.find("--cache-limit") != std::string::npos);
  Case quick;
  quick.facts.read_seconds = 0.001;
  quick.make();
  CHECK(quick.config.recipe.cache == CacheUse::off);
  Case wanted = quick;
  wanted.config = {};
  wanted.config.recipe.cache = CacheUse::on;
  wanted.make();
  CHECK(wanted.config.recipe.cache == CacheUse::on);
  Case unwanted;
  unwanted.config.recipe.cache = CacheUse::off;
  unwanted.make();
  CHECK(unwanted.config.recipe.cache == CacheUse::off);
  // No picture is enlarged from it.
  Case usual;
  RecipeMaker maker(usual.config, {}, usual.facts, true);
  const TransformSettings& view = maker.trial_config().clip.transform;
  const int side = maker.plan_cache(1e12, 2).short_side;
  CHECK(side >= view.crop.height * view.zoom - 1e-9);
  CHECK(side * 4 / 3.0 >= view.crop.width * view.zoom - 1e-9);
}

TEST_CASE("classes that a mirror would exchange are not mirrored; short clips are sampled at a rate") {
  Case it;
  it.facts.sided_class = "turn_left";
  it.facts.median_seconds = 5, it.facts.short_seconds = 3;
  const Recipe recipe = it.make();
  CHECK(it.config.clip.transform.flip == 0);
  CHECK(it.config.clip.sampler.kind == SamplerKind::dense);
  CHECK(it.config.clip.sampler.fps == doctest::Approx(16 / 3.0).epsilon(0.02));
  CHECK(decision(recipe, "look").why.find("turn_left") != std::string::npos);
}

TEST_CASE("a GPU has no clock unless somebody sets one") {
  Case it;
  it.timed = false;
  it.facts.train_clips = 4000, it.facts.smallest_class = 900, it.facts.largest_class = 1000;
  const Recipe recipe = it.make();
  CHECK(recipe.minutes == 0);
  CHECK(it.config.model.name == "r2plus1d_18");
  CHECK(it.config.train.epochs >= 12);
}

TEST_CASE("recipe.json is read back for the report") {
  Case it;
  const Recipe recipe = it.make();
  const testing::TemporaryFolder folder;
  folder.write("recipe.json", to_json(recipe));
  const auto read = recipe_of(folder.path());
  REQUIRE(read);
  CHECK(read->heading == recipe.heading);
  CHECK(recipe_lines(*read) == recipe_lines(recipe));
  folder.write("recipe.json", "{\"format\": \"something else\"}");
  CHECK(!recipe_of(folder.path()));
  folder.write("recipe.json", "[1,");
  CHECK(!recipe_of(folder.path()));
}
