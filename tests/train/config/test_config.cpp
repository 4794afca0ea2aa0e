#include "train/config/config.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/nearest_names.h"
#include "core/safetensors.h"
#include "train/checkpoint.h"
#include "train/config/renamed.h"
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
      whole->set(std::min(whole->get() + 3, whole->high));
    if (const auto* number = std::get_if<Setting::Number>(&setting.value))
      *number->target = number->low + (std::min(number->high, number->low + 2) - number->low) / 3;
    if (const auto* word = std::get_if<Setting::Word>(&setting.value))
      word->set(word->choices.empty() ? "a \"strange\" \\ näme\n\x01" : word->choices.back());
    if (const auto* choice = std::get_if<Setting::Choice>(&setting.value))
      choice->set((choice->get() + 1) % choice->words.size());
    if (const auto* numbers = std::get_if<Setting::Numbers>(&setting.value)) {
      std::vector<double> values(numbers->count() > 0 ? numbers->count() : 3, 1.0 / 3);
      values.front() = 0.1;
      numbers->set(values);
    }
    if (const auto* size = std::get_if<Setting::Size>(&setting.value)) *size->target = {72, 96};
    if (const auto* words = std::get_if<Setting::Words>(&setting.value))
      *words->target = {"stem", "a \"strange\" layer"};
    if (const auto* scales = std::get_if<Setting::Scales>(&setting.value))
      *scales->target = {{"layer1.0", 0.1}, {"stem", 0}};
  }
  return config;
}

std::set<std::string> as_set(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

const std::filesystem::path kRoot = LABAN_SOURCE_DIR;

}  // namespace

TEST_CASE("a config written as TOML reads back as the same config") {
  CHECK(from_toml(to_toml(Config{})) == Config{});
  const Config changed = everything_changed();
  const Config again = from_toml(to_toml(changed));
  CHECK(again == changed);
  CHECK(to_toml(again) == to_toml(changed));
  CHECK(!(changed == Config{}));
}

TEST_CASE("settings() reaches every field of every module's settings") {
  Config changed = everything_changed();
  const Config untouched;
  for (const Setting& setting : settings(changed)) {
    CAPTURE(setting.name());
    CHECK(setting.toml() != setting.default_toml);
  }
  // A field that the table forgets has its default in both: all that is there is compared, by hand.
  const TransformSettings &t = changed.clip.transform, &d = untouched.clip.transform;
  CHECK((t.rule != d.rule && t.short_side_min != d.short_side_min && t.short_side_max != d.short_side_max &&
         t.area != d.area && t.aspect != d.aspect && t.stretch_width != d.stretch_width &&
         t.stretch_height != d.stretch_height && t.crop != d.crop && t.zoom != d.zoom && t.flip != d.flip &&
         t.flip_vertically != d.flip_vertically && t.mean != d.mean && t.std != d.std));
  CHECK(t.place == d.place);  // chosen by --crops, clip by clip
  const OptimizerSettings &o = changed.optimizer, &p = untouched.optimizer;
  CHECK((o.kind != p.kind && o.momentum != p.momentum && o.nesterov != p.nesterov && o.beta1 != p.beta1 &&
         o.beta2 != p.beta2 && o.eps != p.eps && o.weight_decay != p.weight_decay &&
         o.decay_norms != p.decay_norms && o.clip_norm != p.clip_norm && o.lr_scales != p.lr_scales));
}

TEST_CASE("settings() has every name and flag once, and defaults within their own bounds") {
  Config config;
  std::set<std::string> names, flags;
  for (const Setting& setting : settings(config)) {
    CAPTURE(setting.name());
    CHECK(names.insert(setting.name()).second);
    CHECK(flags.insert(setting.flag).second);
    CHECK(!setting.help.empty());
    CHECK(!setting.roles.empty());
    CHECK(setting.toml() == setting.default_toml);
    // The default can be given as a flag, and sets what is there.
    if (!std::holds_alternative<Setting::Words>(setting.value))
      CHECK_NOTHROW(apply_flag(config, setting.flag, setting.default_text()));
    if (const auto* whole = std::get_if<Setting::Whole>(&setting.value)) {
      CHECK(whole->get() >= whole->low);
      CHECK(whole->get() <= whole->high);
    }
    if (const auto* number = std::get_if<Setting::Number>(&setting.value)) {
      CHECK(*number->target >= number->low);
      CHECK(*number->target <= number->high);
    }
  }
  CHECK(config == Config{});
  resolve(config);
}

TEST_CASE("ranges and defaults are described") {
  Config config;
  const std::vector<Setting> all = settings(config);
  const auto described = [&](const std::string& flag) {
    const auto found = std::ranges::find(all, flag, &Setting::flag);
    return found->range() + " [" + found->default_text() + "]";
  };
  CHECK(described("frames") == "1 to 4096 [16]");
  CHECK(described("epochs") == "at least 1 [20]");
  CHECK(described("clip-norm") == "at least 0 [0]");
  CHECK(described("lr") == "1e-12 to 1e+06 [0.002]");
  CHECK(described("optimizer") == "sgd, adam or adamw [adamw]");
  CHECK(described("mean") == "3 numbers, 0 to 1 [0.45,0.45,0.45]");
  CHECK(described("area") == "2 numbers, 1e-06 to 1 [0.08,1]");
  CHECK(described("milestones") == "list of numbers, at least 0 []");
  CHECK(described("nesterov") == " [false]");
  CHECK(std::ranges::find(all, "device", &Setting::flag)->choices() ==
        std::vector<std::string>{"auto", "cpu", "cuda", "reference"});
}

TEST_CASE("roles say which flags a command takes") {
  CHECK(as_set(flags_with(Role::dataset)) ==
        std::set<std::string>{"layout", "media", "confine", "list-columns", "filename-pattern", "fold",
                              "split-by", "split-seed", "train-fraction", "val-fraction"});
  CHECK(as_set(flags_with(Role::network)) ==
        std::set<std::string>{"model", "midplanes", "shortcut", "norm-eps"});
  // Nothing that changes what is learned from a step.
  CHECK(as_set(flags_with(Role::resume)) == std::set<std::string>{"data", "media", "confine", "max-pixels",
                                                                  "max-scans", "max-decode-time", "workers",
                                                                  "index-cache", "threads", "epochs",
                                                                  "best-by", "patience", "checkpoint-every"});
  // What evaluation sees of a video.
  CHECK(as_set(flags_with(Role::sampling | Role::picture, Role::inference | Role::preset)) ==
        std::set<std::string>{"sampler", "frames", "frames-per-segment", "stride", "fps", "size", "mean",
                              "std", "scale", "stretch-width", "stretch-height", "short-side-min",
                              "short-side-max"});
  CHECK(roles_of("gpu").any(Role::inference));
  CHECK(!roles_of("lr").any(Role::inference | Role::resume));
  CHECK(roles_of("no-such-flag").empty());
}

TEST_CASE("docs/settings.md is up to date: laban settings --markdown writes it") {
  const bool same = read_file(kRoot / "docs/settings.md") == settings_markdown();
  CHECK(same);
}

TEST_CASE("TOML sets what it names and leaves the rest") {
  const Config config = from_toml(
      "[optimizer]\nlr = 1\nkind = \"sgd\"\nlr_scales = { stem = 0, fc = 10.0 }\n"
      "[schedule]\nmilestones = [1, 2.5]\n[clip]\nsingle_frame = true\n");
  CHECK(config.schedule.base_lr == 1.0);
  CHECK(config.optimizer.kind == OptimizerKind::sgd);
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
  CHECK_THROWS_WITH_AS(from_toml("[optimizer]\nkind = \"rmsprop\"\n"), Contains("must be sgd, adam or adamw"),
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
  CHECK(config.schedule.base_lr == 0.25);
  CHECK(config.optimizer.nesterov);
  CHECK(config.clip.transform.mean == std::array{0.1f, 0.2f, 0.3f});
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
  refused("[data]\ntrain_fraction = 0.8\nval_fraction = 0.3\n", "more than 1");
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
  CHECK(config.clip.transform.short_side_min == 128);
  CHECK(config.clip.transform.short_side_max == 160);
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
  CHECK(from_toml("[clip]\nflip = 0.25\npreset = \"deck\"\n").clip.transform.flip == 0.25);
  CHECK(from_toml("[clip]\npreset = \"deck\"\nsize = 200\n").clip.transform.crop == 200);
  Config config = from_toml("[clip]\npreset = \"torchvision\"\nsize = 140\n");
  CHECK_THROWS_WITH_AS(resolve(config), Contains("171x128"), UsageError);
}

TEST_CASE("a size is one number or two") {
  const auto size = [](const std::string& toml) {
    return from_toml(text("[clip]\nsize = ", toml, "\n")).clip.transform.crop;
  };
  CHECK(size("64") == PictureSize{64, 64});
  CHECK(size("\"72x96\"") == PictureSize{72, 96});
  CHECK(size("\"64\"") == PictureSize{64});
  Config config;
  apply_flag(config, "size", "72x96");
  CHECK(config.clip.transform.crop == PictureSize{72, 96});
  CHECK(from_toml(to_toml(config)).clip.transform.crop == PictureSize{72, 96});
  CHECK(to_toml(config).find("size = \"72x96\"") != std::string::npos);
  apply_flag(config, "size", "112");
  CHECK(to_toml(config).find("size = 112 ") != std::string::npos);
  for (const char* wrong :
       {"", "x", "72x", "x96", "72x96x3", "72 x 96", "7x96", "72x5000", "72*96", "-72x96", "7e1"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(apply_flag(config, "size", wrong), UsageError);
    CHECK_THROWS_AS(size(text('"', wrong, '"')), UsageError);
  }
  CHECK_THROWS_AS(size("[72, 96]"), UsageError);
  CHECK_THROWS_AS(size("72.5"), UsageError);
}

TEST_CASE("the loader is told what the config says") {
  Config config = from_toml(
      "[clip]\nframes = 12\nframes_per_segment = 3\nsize = 40\nflip = 0.25\nsingle_frame = true\n"
      "[train]\nbatch = 5\nseed = 77\n[data]\non_bad_file = \"exclude\"\n");
  resolve(config);
  const LoaderSettings train = loader_settings(config, SampleMode::train);
  CHECK(train.sampler.segments() == 4);
  CHECK(train.sampler.frames_per_segment == 3);
  CHECK(train.sampler.frames == 12);
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

TEST_CASE("TOML that nests or is longer than any config is refused before it is parsed") {
  const auto dotted = [](size_t parts, const char* part, const char* quote) {
    std::string key;
    for (size_t i = 0; i < parts; ++i) key += (i ? "." : "") + std::string(quote) + part + quote;
    return key;
  };
  for (const char* quote : {"", "\"", "'"})
    for (const std::string& text :
         {dotted(40000, "a", quote) + " = 1\n", "[" + dotted(40000, "a", quote) + "]\n",
          "[[" + dotted(40000, "a", quote) + "]]\n", "x = {" + dotted(40000, "a", quote) + " = 1}\n",
          "# a comment\n\n" + dotted(40000, "a", quote)}) {
      CHECK_THROWS_WITH_AS(from_toml(text), Contains("a key has more than 16 parts"), UsageError);
    }
  CHECK_THROWS_WITH_AS(from_toml("# '\n# \"\"\"\n" + dotted(17, "a", "")),
                       Contains("line 3: a key has more than"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("# " + std::string(2 << 20, 'x')), Contains("bytes; a config has"),
                       UsageError);
  CHECK_THROWS_AS(from_toml("x = " + std::string(100000, '[')), UsageError);
  CHECK_THROWS_AS(from_toml("x = \"open"), UsageError);
  CHECK_THROWS_AS(from_toml("x = \"\"\"open"), UsageError);
  CHECK_THROWS_AS(from_toml("x = \"\\"), UsageError);

  // Dots that are in no key.
  const std::string many = "....................";
  const Config config =
      from_toml("# " + many + "\n[data]\npath = \"" + many + "\\\"" + many + "\"\nmedia = '" + many +
                "'\nindex_cache = \"\"\"\n" + many + "'\"\"\"\n" +
                "[schedule]\nmilestones = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, "
                "11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0]\n");
  CHECK(config.data.path == many + "\"" + many);
  CHECK(config.data.index_cache == many + "'");
  CHECK(config.schedule.milestones.size() == 18);
}

TEST_CASE("a value that is not UTF-8 is refused: no config file could hold it") {
  Config config;
  CHECK_THROWS_WITH_AS(apply_flag(config, "data", "caf\xe9/clips"), Contains("'caf\\xe9/clips' is not UTF-8"),
                       UsageError);
  apply_flag(config, "data", "café/clips");
  CHECK(from_toml(to_toml(config)).data.path == "café/clips");
}

TEST_CASE("retired spellings are read, each with a note; both spellings at once are refused") {
  std::vector<std::string> notes;
  Config config;
  apply_toml(config,
             "[data]\nframes_named = \"img_%05d.jpg\"\ntrain_share = 0.6\nvalidate_share = 0.25\n"
             "packet_cache = \"off\"\n",
             "my.toml", &notes);
  CHECK(config.data.dataset.filename_pattern == "img_%05d.jpg");
  CHECK(config.data.dataset.split == SplitSettings{.train = 0.6, .val = 0.25});
  CHECK(config.data.index_cache == "off");
  CHECK(as_set(notes) ==
        std::set<std::string>{"my.toml, line 2: data.frames_named is now data.filename_pattern",
                              "my.toml, line 3: data.train_share is now data.train_fraction",
                              "my.toml, line 4: data.validate_share is now data.val_fraction",
                              "my.toml, line 5: data.packet_cache is now data.index_cache"});
  CHECK_THROWS_WITH_AS(from_toml("[data]\npacket_cache = \"off\"\nindex_cache = \"auto\"\n"),
                       Contains("data.index_cache is set twice"), UsageError);
  CHECK_THROWS_WITH_AS(from_toml("[data]\ntrain_share = 2\n"), Contains("data.train_fraction is 2"),
                       UsageError);
  // What is written uses today's.
  for (const RenamedSetting& renamed : renamed_settings())
    CHECK(to_toml(config).find(renamed.old_key) == std::string::npos);
}

namespace {

/// What tests/golden/run_0.1/config.toml says; laban 0.1 wrote it.
void check_first_version(const Config& config, BestBy best_by, SplitBy split_by) {
  Config wanted;
  wanted.train.best_by = best_by;
  wanted.data.path = "d";
  wanted.data.dataset.filename_pattern = "img_%05d.jpg";
  wanted.data.dataset.split = {.train = 0.6, .val = 0.2};
  wanted.data.dataset.split.by = split_by;
  wanted.data.workers = 2;
  wanted.data.index_cache = "off";
  wanted.clip.sampler = {.kind = SamplerKind::dense, .frames = 4};
  wanted.clip.transform.rule = ScaleRule::area;
  wanted.clip.transform.area = {0.2, 0.9};
  wanted.clip.transform.aspect = {0.75, 1.3333333333333333};
  wanted.clip.transform.crop = wanted.clip.transform.short_side_min = 16;
  wanted.clip.transform.short_side_max = 20;
  wanted.clip.transform.mean = {0.4f, 0.41f, 0.43216f};
  wanted.model.name = "r3d_tiny";
  wanted.model.options.midplanes = MidplanesRule::per_conv;
  wanted.train.epochs = 2;
  wanted.train.batch = 2;
  wanted.finetune.freeze.layers = {"stem"};
  wanted.optimizer.kind = OptimizerKind::sgd;
  wanted.optimizer.nesterov = true;
  wanted.optimizer.lr_scales = {{"stem", 0.5}};
  wanted.schedule.milestones = {1, 1.5};
  wanted.machine.device = DeviceKind::cpu;
  wanted.machine.threads = 2;
  CHECK(to_toml(config) == to_toml(wanted));
  CHECK(config == wanted);
}

}  // namespace

TEST_CASE("a config.toml and a checkpoint of laban 0.1 are read") {
  const std::string old = read_file(kRoot / "tests/golden/run_0.1/config.toml");
  REQUIRE(old.find("packet_cache") != std::string::npos);
  Config config;
  apply_toml(config, old, "config.toml");
  check_first_version(config, BestBy::automatic, SplitBy::content);

  const testing::TemporaryFolder folder;
  const float weight = 1;
  write_safetensors(
      folder.path() / "last.safetensors",
      std::vector<TensorToSave>{{"fc.weight", ElementType::f32, {1}, &weight}},
      {{"format", "laban.checkpoint.1"},
       {"version", "0.1.0"},
       {"config", old},
       {"model", "r3d_tiny"},
       {"classes", R"(["left","right"])"},
       {"state", R"({"epoch":2,"batch":0,"step":32,"batches_run":32,"loss_sum":0.0,"clips":0,"correct":0,)"
                 R"("seconds":2.5,"best_accuracy":0.0,"best_loss":2.46,"best_epoch":1,"metrics_bytes":7603,)"
                 R"("seed":1})"},
       {"dataset", "40 clips, 00"}});
  const Checkpoint checkpoint(folder.path() / "last.safetensors");
  check_first_version(checkpoint.info().config, BestBy::accuracy, SplitBy::name);  // as it was then
  CHECK(checkpoint.info().state.best_macro_f1 == -1);
  CHECK(checkpoint.info().state.step == 32);
}
