// Which settings the commands take, under which names.
#include <doctest/doctest.h>

#include <string>

#include "core/files.h"
#include "core/sha256.h"
#include "models/families.h"
#include "reference/reference_backend.h"
#include "support/program.h"
#include "train/train_fixture.h"
#include "weights/export.h"
#include "weights/small_network.h"

using namespace laban;
using test::laban_with;
using Result = test::ProgramResult;
namespace fs = std::filesystem;

namespace {

/// A dataset of four classes, a run of one epoch on it, weights that say nothing about themselves, and the
/// same with notes of their model and clips.
struct Files {
  test::TemporaryFolder folder;
  std::string data = (folder.path() / "data").string(), run = (folder.path() / "run").string(),
              weights = (folder.path() / "w.safetensors").string(),
              noted = (folder.path() / "noted.safetensors").string();

  Files() {
    test::write_moving_blobs(data, 10);
    ReferenceBackend backend;
    Network network(backend, DType::f64, model_by_name("r3d_tiny", 4));
    test::make_used(network, 3);
    // Means about 0, so that what comes out depends on the clips.
    for (const Statistic* s : network.store().list().statistics)
      if (s->name.ends_with("running_mean"))
        network.store().write(*s, std::vector<double>(static_cast<size_t>(s->shape.count())));
    const auto state = export_state(network, ElementType::f32, KeyStyle::torchvision);
    write_safetensors_state(weights, state, {});
    write_safetensors_state(noted, state,
                            {{"model", "r3d_tiny"},
                             {"midplanes", "torchvision"},
                             {"shortcut", "B"},
                             {"norm_eps", "1e-5"},
                             {"frames", "2"},
                             {"size", "16"},
                             {"mean", "0.1,0.2,0.3"}});
  }
  Result train(const std::vector<std::string>& more) const {
    std::vector<std::string> line = test::words(
        "train --epochs 1 --frames 2 --size 16 --batch 8 --threads 1 --model r3d_tiny --recipe none --no-floor");
    line.insert(line.end(), {"--data", data, "--run", run});
    line.insert(line.end(), more.begin(), more.end());
    return laban_with(line);
  }
  Result eval(const std::string& of, const std::string& file, const std::string& flags) const {
    std::vector<std::string> line = test::words("eval --json --threads 1 --batch 4 --split val " + flags);
    line.insert(line.end(), {"--data", data, of, file});
    return laban_with(line);
  }
};

}  // namespace

TEST_CASE("weights without notes take every setting of their clips; a checkpoint knows its own") {
  const Files files;
  const std::string small = "--model r3d_tiny --frames 2 --size 16";
  const auto of_weights = [&](const std::string& flags) {
    const Result result = files.eval("--weights", files.weights, small + " " + flags);
    REQUIRE_MESSAGE(result.code == 0, result.said);
    Sha256 hash;  // a difference is told in a line
    hash.update(result.out);
    return hash.hex();
  };
  const std::string plain = of_weights("");
  CHECK(of_weights("--scale stretch --stretch-width 30 --stretch-height 16") != plain);
  CHECK(of_weights("--mean 0.1,0.2,0.3") != plain);
  // The preset's scale and colors, at our size.
  CHECK(of_weights("--preset torchvision") != plain);
  CHECK(of_weights("--preset torchvision") ==
        of_weights("--scale stretch --stretch-width 171 --stretch-height 128 --mean 0.43216,0.394666,0.37645 "
                   "--std 0.22803,0.22145,0.216989"));

  REQUIRE(files.train({}).code == 0);
  const Result evaluated =
      files.eval("--run", files.run, "--single-frame --index-cache off --precision bf16");
  CHECK_MESSAGE(evaluated.code == 0, evaluated.said);
  const Result refused = files.eval("--run", files.run, "--norm-eps 0.1");
  CHECK(refused.code == 2);
  CHECK(refused.says("goes with --weights only"));
  // Other clips than the run's are measured, told, and no result of the run.
  fs::remove(files.run + "/evaluation_val.json");
  for (const auto& [flag, told] :
       {std::pair("--scale area", "scale area (trained with short-side)"),
        std::pair("--preset torchvision --size 16", "mean 0.43216,0.394666,0.37645"),
        std::pair("--sampler dense --stride 2", "sampler dense (trained with tsn)"),
        std::pair("--frames 4", "frames 4 (trained with 2)")}) {
    CAPTURE(flag);
    const Result other = files.eval("--run", files.run, flag);
    CHECK_MESSAGE(other.code == 0, other.said);
    CHECK_MESSAGE(other.says(told), other.said);
    CHECK(other.says("not written to the run"));
    CHECK(!fs::exists(files.run + "/evaluation_val.json"));
  }
  const Result same = files.eval("--run", files.run, "--frames 2");
  CHECK(!same.says("other clips than"));
  CHECK(fs::exists(files.run + "/evaluation_val.json"));

  const Result exports = laban_with({"export", "--help"});
  CHECK(exports.says("--norm-eps"));
  CHECK(!exports.says("--size"));
  CHECK(!exports.says("--gpu"));
}

TEST_CASE("a preset replaces the picture settings that weights note, and says which") {
  const Files files;
  const Result noted = files.eval("--weights", files.noted, "");
  REQUIRE_MESSAGE(noted.code == 0, noted.said);
  CHECK(noted.says("frames 2, size 16, mean 0.1,0.2,0.3"));
  CHECK(!noted.says("--preset replaces"));

  const Result preset = files.eval("--weights", files.noted, "--preset torchvision --size 16");
  REQUIRE_MESSAGE(preset.code == 0, preset.said);
  CHECK(preset.says("--preset replaces what is noted in " + files.noted + ": mean 0.1,0.2,0.3\n"));
  // How clips are sampled stays.
  CHECK_MESSAGE(preset.says("as noted in " + files.noted + ": frames 2, model r3d_tiny"), preset.said);
  CHECK(preset.out != noted.out);
  CHECK(preset.out ==
        files.eval("--weights", files.weights, "--model r3d_tiny --frames 2 --preset torchvision --size 16")
            .out);
}

TEST_CASE("what a resumed run may change is what it says it may") {
  const Files files;
  REQUIRE(files.train({}).code == 0);
  const Result refused = laban_with({"train", "--resume", files.run, "--lr", "0.5"});
  CHECK(refused.code == 2);
  CHECK(refused.says("--lr cannot be changed in a resumed run"));
  const std::vector<std::string> changes = {
      "--data",     files.data, "--media",   files.data,      "--workers",
      "1",          "--epochs", "2",         "--index-cache", "off",
      "--patience", "3",        "--best-by", "accuracy",      "--checkpoint-every",
      "1"};
  for (const std::string& word : changes)
    if (word.starts_with("--")) CHECK_MESSAGE(refused.says(word), word);
  std::vector<std::string> line{"train", "--resume", files.run};
  line.insert(line.end(), changes.begin(), changes.end());
  const Result resumed = laban_with(line);
  CHECK_MESSAGE(resumed.code == 0, resumed.said);
}

TEST_CASE("retired flags and keys work, and say what they are called now") {
  const Files files;
  const Result flags = files.train({"--packet-cache", "off", "--validate-share", "0.2"});
  CHECK_MESSAGE(flags.code == 0, flags.said);
  CHECK(flags.says("note: --packet-cache is now --index-cache\n"));
  CHECK(flags.says("note: --validate-share is now --val-fraction\n"));
  CHECK(!fs::exists(fs::path(files.data) / ".laban-packets"));
  const std::string written = read_file(fs::path(files.run) / "config.toml");
  CHECK(written.find("index_cache = \"off\"") != std::string::npos);
  CHECK(written.find("val_fraction = 0.2") != std::string::npos);
  CHECK(written.find("packet_cache") == std::string::npos);

  const std::string config = (files.folder.path() / "old.toml").string();
  write_file(config, "[data]\ntrain_share = 0.5\n");
  const Result keys = files.train({"--overwrite", "--config", config});
  CHECK_MESSAGE(keys.code == 0, keys.said);
  CHECK(keys.says("note: " + config + ", line 2: data.train_share is now data.train_fraction\n"));

  const Result help = laban_with({"train", "--help"});
  CHECK(help.says("--index-cache"));
  CHECK(!help.says("--packet-cache"));
}

TEST_CASE("help shows ranges and defaults; laban settings prints a file that train takes") {
  const Result help = laban_with({"train", "--help"});
  CHECK(help.says("frames per clip (1 to 4096, default 16)"));
  CHECK(help.says("SGD momentum"));
  CHECK(help.says("optimizer (sgd, adam, adamw; default adamw)"));
  const Result printed = laban_with({"settings"});
  Config config;
  config.train.epochs = 77;
  apply_toml(config, printed.out, "settings");
  CHECK(config == Config{});
}
