#include "train/config/config.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "train/report/report_fixture.h"

using namespace laban;
using doctest::Contains;

namespace {

Config from_toml(const std::string& toml) {
  Config config;
  apply_toml(config, toml, "my.toml");
  return config;
}

/// A config in which no field has its default value, by changing every field that settings() lists.
Config everything_changed() {
  Config config;
  for (const Setting& setting : settings(config)) {
    if (const auto* flag = std::get_if<Setting::Flag>(&setting.value)) *flag->target = !*flag->target;
    if (const auto* whole = std::get_if<Setting::Whole>(&setting.value))
      *whole->target = std::min(*whole->target + 3, whole->high);
    if (const auto* number = std::get_if<Setting::Number>(&setting.value))
      *number->target = number->low + (std::min(number->high, number->low + 2) - number->low) / 3;
    if (const auto* word = std::get_if<Setting::Word>(&setting.value))
      *word->target = word->choices.empty() ? "a \"strange\" \\ näme\n\x01" : word->choices.back();
    if (const auto* numbers = std::get_if<Setting::Numbers>(&setting.value))
      *numbers->target =
          numbers->count == 2 ? std::vector<double>{0.1, 1.0 / 3} : std::vector<double>{0.1, 1.0 / 3, 1};
    if (const auto* words = std::get_if<Setting::Words>(&setting.value))
      *words->target = {"stem", "a \"strange\" layer"};
    if (const auto* scales = std::get_if<Setting::Scales>(&setting.value))
      *scales->target = {{"layer1.0", 0.1}, {"stem", 0}};
  }
  return config;
}

}  // namespace

TEST_CASE("a config written as TOML reads back as the same config") {
  CHECK(from_toml(to_toml(Config{})) == Config{});
  const Config changed = everything_changed();
  const Config again = from_toml(to_toml(changed));
  CHECK(again == changed);
  CHECK(to_toml(again) == to_toml(changed));
  CHECK(!(changed == Config{}));
}

TEST_CASE("settings() has every name and flag once, and defaults within their own bounds") {
  Config config;
  std::set<std::string> names, flags;
  for (const Setting& setting : settings(config)) {
    CHECK(names.insert(setting.name()).second);
    CHECK(flags.insert(setting.flag).second);
    CHECK(!setting.help.empty());
    if (const auto* whole = std::get_if<Setting::Whole>(&setting.value)) {
      CHECK(*whole->target >= whole->low);
      CHECK(*whole->target <= whole->high);
    }
    if (const auto* number = std::get_if<Setting::Number>(&setting.value)) {
      CHECK(*number->target >= number->low);
      CHECK(*number->target <= number->high);
    }
  }
  resolve(config);
}

TEST_CASE("TOML sets what it names and leaves the rest") {
  const Config config = from_toml(
      "[optimizer]\nlr = 1\nkind = \"sgd\"\nlr_scales = { stem = 0, fc = 10.0 }\n"
      "[schedule]\nmilestones = [1, 2.5]\n[clip]\nsingle_frame = true\n");
  CHECK(config.optimizer.lr == 1.0);
  CHECK(config.optimizer.kind == "sgd");
  CHECK(config.optimizer.lr_scales == std::map<std::string, double>{{"stem", 0}, {"fc", 10}});
  CHECK(config.schedule.milestones == std::vector<double>{1, 2.5});
  CHECK(config.clip.single_frame);
  CHECK(config.train == Config{}.train);
  CHECK(config.optimizer.momentum == Config{}.optimizer.momentum);
}

TEST_CASE("unknown keys are refused with file, line and the nearest names") {
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nlr = 0.1\nmomentun = 0.9\n"),
                       Contains("my.toml, line 3: there is no setting 'momentun' in [optimizer]"),
                       UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nmomentun = 0.9\n"), Contains("Did you mean momentum"),
                       UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizr]\nlr = 0.1\n"), Contains("no section 'optimizr'"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizr]\nlr = 0.1\n"), Contains("Did you mean optimizer"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("\nlr = 0.1\n"), Contains("line 2: 'lr' stands outside of any section"),
                       UsageError);
  CHECK_THROWS_WITH_AS(from_toml("\nlr = 0.1\n"), Contains("[optimizer]"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("color = 3"), Contains("no setting 'color'"), UsageError);
}

TEST_CASE("values of the wrong kind or out of range are refused by name") {
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nlr = \"fast\"\n"),
                       Contains("line 2: optimizer.lr must be a number"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[train]\nepochs = 2.5\n"), Contains("train.epochs must be a whole number"),
                       UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[train]\nepochs = 0\n"), Contains("between 1 and"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nlr = -1\n"), Contains("optimizer.lr is -1"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nlr = nan\n"), Contains("must be a number"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nclip_norm = -1\n"), Contains("at least 0"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nkind = \"rmsprop\"\n"), Contains("one of: sgd, adam, adamw"),
                       UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[clip]\nmean = [0.5]\n"), Contains("has 1 numbers, but needs 3"),
                       UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[clip]\nsingle_frame = 1\n"), Contains("true or false"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[clip\n"), Contains("my.toml, line 1: this is not valid TOML"), UsageError);
}

TEST_CASE("flags win over the file and are parsed whole") {
  Config config = from_toml("[optimizer]\nlr = 0.5\n");
  apply_flag(config, "lr", "0.25");
  apply_flag(config, "nesterov", "true");
  apply_flag(config, "mean", "0.1,0.2,0.3");
  apply_flag(config, "lr-scales", "stem=0,fc=10");
  apply_flag(config, "milestones", "");
  apply_flag(config, "epochs", "7");
  CHECK(config.optimizer.lr == 0.25);
  CHECK(config.optimizer.nesterov);
  CHECK(config.clip.mean == std::vector<double>{0.1, 0.2, 0.3});
  CHECK(config.optimizer.lr_scales == std::map<std::string, double>{{"stem", 0}, {"fc", 10}});
  CHECK(config.schedule.milestones.empty());
  CHECK(config.train.epochs == 7);
  CHECK_THROWS_WITH_AS(apply_flag(config, "lr", "0.1x"), Contains("--lr: '0.1x' is not a number"),
                       UsageError);
  CHECK_THROWS_WITH_AS(apply_flag(config, "epochs", "7.5"), Contains("--epochs: '7.5' is not a whole number"),
                       UsageError);
  CHECK_THROWS_WITH_AS(apply_flag(config, "mean", "0.1,,0.3"), Contains("--mean: '' is not a number"),
                       UsageError);
  CHECK_THROWS_WITH_AS(apply_flag(config, "lr-scales", "stem"), Contains("name=factor"), UsageError);
  CHECK_THROWS_WITH_AS(apply_flag(config, "epoch", "1"), Contains("Did you mean epochs"), UsageError);
}

TEST_CASE("what no single field can tell is checked too") {
  const auto refused = [](const std::string& toml, const std::string& part) {
    Config config = from_toml(toml);
    CHECK_THROWS_WITH_AS(resolve(config), Contains(part.c_str()), UsageError);
  };
  refused("[clip]\nsize = 64\nshort_side_min = 60\n", "cut out of it");
  refused("[clip]\nshort_side_min = 90\nshort_side_max = 80\n", "less than clip.short_side_min");
  refused("[clip]\nframes = 16\nframes_per_segment = 3\n", "no multiple");
  refused("[data]\ntrain_share = 0.8\nvalidate_share = 0.3\n", "more than 1");
  refused("[train]\nepochs = 3\n[schedule]\nwarmup_epochs = 4\n", "only 3 epochs");
  refused("[schedule]\nkind = \"step\"\n", "milestones is empty");
  refused("[optimizer]\nkind = \"sgd\"\nmomentum = 0\nnesterov = true\n", "needs a momentum");
  refused("[machine]\nprecision = \"f64\"\n", "does not offer");
  refused("[machine]\nprecision = \"tf32\"\n", "does not offer");
  refused("[model]\nname = \"resnet9000\"\n", "resnet9000");
}

TEST_CASE("the short side follows from the clip's size unless it is set") {
  Config config = from_toml("[clip]\nsize = 112\n");
  resolve(config);
  CHECK(config.clip.short_side_min == 128);
  CHECK(config.clip.short_side_max == 160);
  const Config resolved = config;
  resolve(config);
  CHECK(config == resolved);
}

TEST_CASE("a preset sets a whole pipeline, and single settings go beyond it wherever they stand") {
  Config deck = from_toml("[clip]\npreset = \"deck\"\n");
  resolve(deck);
  const TransformSettings t = loader_settings(deck, SampleMode::train).transform;
  CHECK((t.short_side_min == 256 && t.short_side_max == 320 && t.crop == 244 && t.flip == 0.5));
  CHECK((t.rule == ScaleRule::short_side && t.mean[0] == 0.45f && t.std[2] == 0.225f));
  Config torchvision;
  apply_flag(torchvision, "preset", "torchvision");
  resolve(torchvision);
  const TransformSettings k = loader_settings(torchvision, SampleMode::test).transform;
  CHECK((k.rule == ScaleRule::stretch && k.stretch_width == 171 && k.stretch_height == 128 && k.crop == 112));
  CHECK((k.mean[0] == 0.43216f && k.mean[1] == 0.394666f && k.mean[2] == 0.37645f));
  CHECK((k.std[0] == 0.22803f && k.std[1] == 0.22145f && k.std[2] == 0.216989f));
  // "flip" comes before "preset" in the file and in the alphabet.
  CHECK(from_toml("[clip]\nflip = 0.25\npreset = \"deck\"\n").clip.flip == 0.25);
  CHECK(from_toml("[clip]\npreset = \"deck\"\nsize = 200\n").clip.size == 200);
  Config config = from_toml("[clip]\npreset = \"torchvision\"\nsize = 140\n");
  CHECK_THROWS_WITH_AS(resolve(config), Contains("171x128"), UsageError);
}

TEST_CASE("epochs of the schedule become steps") {
  Config config = from_toml(
      "[train]\nepochs = 10\n[optimizer]\nlr = 0.3\n[schedule]\nkind = \"step\"\nwarmup_epochs = "
      "1.5\nmilestones = [4, 8]\n");
  const ScheduleSettings schedule = schedule_settings(config, 7);
  CHECK(schedule.kind == ScheduleKind::step);
  CHECK(schedule.base == 0.3);
  CHECK(schedule.total_steps == 70);
  CHECK(schedule.warmup_steps == 11);  // 10.5 rounded
  CHECK(schedule.milestones == std::vector<int64_t>{28, 56});
}

TEST_CASE("the loader is told what the config says") {
  Config config = from_toml(
      "[clip]\nframes = 12\nframes_per_segment = 3\nsize = 40\nflip = 0.25\nsingle_frame = true\n"
      "[train]\nbatch = 5\nseed = 77\n[data]\non_bad_file = \"exclude\"\n");
  resolve(config);
  const LoaderSettings train = loader_settings(config, SampleMode::train);
  CHECK(train.sampler.segments == 4);
  CHECK(train.sampler.frames_per_segment == 3);
  CHECK(train.sampler.frames() == 12);
  CHECK(train.transform.crop == 40);
  CHECK(train.transform.flip == 0.25);
  CHECK(train.batch == 5);
  CHECK(train.seed == 77);
  CHECK(train.single_frame);
  CHECK(train.shuffle);
  CHECK(train.drop_last);
  CHECK(train.on_bad_file == OnBadFile::exclude);
  const LoaderSettings test = loader_settings(config, SampleMode::test);
  CHECK(!test.shuffle);
  CHECK(!test.drop_last);
}

TEST_CASE("a config file that is not there is named") {
  Config config;
  CHECK_THROWS_WITH_AS(apply_config_file(config, "/no/such.toml"), Contains("/no/such.toml: does not exist"),
                       FileError);
  const testing::TemporaryFolder folder;
  folder.write("a.toml", "[train]\nepochs = 4\n");
  apply_config_file(config, folder.path() / "a.toml");
  CHECK(config.train.epochs == 4);
}
