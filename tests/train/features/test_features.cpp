// Training the last layer on precomputed features is the same as training it in the whole network with
// everything else frozen.
#include "train/features/features.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "cpu/cpu_backend.h"
#include "data/picture/image_folder.h"
#include "train/evaluate/evaluation.h"
#include "train/train_fixture.h"
#include "train/trainer.h"

using namespace laban;
using doctest::Contains;
using test::Recorder;
using test::TemporaryFolder;

namespace {

/// Clips without anything random: as many frames as the video has, the whole picture, no mirroring.
struct Bench {
  TemporaryFolder folder;
  Config config;
  Dataset dataset;
  CpuBackend backend{2};
  Recorder recorder;

  Bench() : config(test::small_config(folder.path() / "data")) {
    test::write_moving_blobs(config.data.path, 5);
    dataset = open_dataset(config.data.path, dataset_settings(config));
    for (size_t i = 0; i < dataset.items.size(); ++i)
      dataset.items[i].split = i % 5 == 4 ? Split::val : Split::train;  // 16 and 4
    config.clip.sampler.frames = 12;
    config.clip.transform.crop = config.clip.transform.short_side_min = config.clip.transform.short_side_max =
        20;
    config.train.epochs = 3;
    config.train.mix.mixup = 0;
    config.optimizer.weight_decay = 0.01;
  }
  /// Of the network with which a run of this config begins.
  Features features() {
    Network network(backend, DType::f32, model_spec(config, 4));
    network.store().initialize(static_cast<uint64_t>(config.train.seed));
    std::vector<int> all(dataset.items.size());
    std::iota(all.begin(), all.end(), 0);
    LoaderSettings settings = loader_settings(config, SampleMode::test);
    Loader loader(dataset, all, settings);
    Features features = *extract_features(network, loader, dataset, {});
    features.config = config;
    return features;
  }
  TrainingResult train(const RunFolder& run) {
    if (!std::filesystem::exists(run.last())) run.create(false);
    Trainer trainer(backend, config, dataset, run, recorder, recorder.stop);
    if (std::filesystem::exists(run.last())) trainer.resume(Checkpoint(run.last()));
    return trainer.run();
  }
};

double worst_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

}  // namespace

TEST_CASE("the last layer on features learns what it learns in the whole network, frozen below") {
  Bench bench;
  SUBCASE("sgd, dropout") {}
  SUBCASE("adamw, averages") {
    bench.config.optimizer.kind = OptimizerKind::adamw;
    bench.config.schedule.base_lr = 1e-3;
    bench.config.train.ema = 0.9;
  }
  SUBCASE("balanced") { bench.config.train.balance = true; }
  const std::filesystem::path file = bench.folder.path() / "clips.safetensors";
  write_features(file, bench.features());

  const RunFolder whole{bench.folder.path() / "whole"}, head{bench.folder.path() / "head"};
  bench.config.finetune.freeze.layers = {"backbone"};
  bench.train(whole);
  const auto whole_steps = bench.recorder.steps;
  const auto whole_epochs = bench.recorder.epochs;
  bench.recorder.steps.clear();
  bench.recorder.epochs.clear();
  bench.config.finetune.freeze.layers.clear();
  bench.config.finetune.features = file.string();
  bench.train(head);

  REQUIRE(whole_steps.size() == 12);
  REQUIRE(bench.recorder.steps.size() == 12);
  for (size_t i = 0; i < 12; ++i) {
    CHECK(bench.recorder.steps[i].loss == doctest::Approx(whole_steps[i].loss).epsilon(1e-5));
    CHECK(bench.recorder.steps[i].accuracy == whole_steps[i].accuracy);
  }
  for (size_t i = 0; i < 3; ++i)
    CHECK(*bench.recorder.epochs[i].val_loss == doctest::Approx(*whole_epochs[i].val_loss).epsilon(1e-5));
  const auto a = test::tensors_of(whole.last()), b = test::tensors_of(head.last());
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].first == b[i].first);
    // The same but for rounding: the features of a clip depend on it alone, their batch may round otherwise.
    CHECK_MESSAGE(worst_difference(a[i].second, b[i].second) < 1e-5, a[i].first);
    if (!a[i].first.ends_with("fc.weight") && !a[i].first.ends_with("fc.bias"))
      CHECK_MESSAGE(a[i].second == b[i].second, a[i].first);
  }

  // What comes out is a checkpoint like any other: it classifies videos.
  const Checkpoint checkpoint(head.best());
  Network network(bench.backend, DType::f32, model_spec(checkpoint.info().config, 4));
  checkpoint.load_weights(network.store());
  Loader loader(bench.dataset, bench.dataset.of(Split::val),
                loader_settings(checkpoint.info().config, SampleMode::val));
  const Evaluation evaluation =
      summarize(*classify(network, loader, {}), bench.dataset, bench.dataset.classes);
  CHECK(evaluation.loss == doctest::Approx(checkpoint.info().state.best_loss).epsilon(1e-5));
}

TEST_CASE("a run on features that is interrupted ends with the same bits") {
  Bench bench;
  bench.config.train.mix.mixup = 0.5;
  const std::filesystem::path file = bench.folder.path() / "clips.safetensors";
  write_features(file, bench.features());
  bench.config.finetune.features = file.string();
  const RunFolder whole{bench.folder.path() / "whole"}, parts{bench.folder.path() / "parts"};
  bench.train(whole);
  for (const int64_t stop_after : {1, 4, 7, -1}) {
    bench.recorder.stop = false;
    bench.recorder.stop_after = stop_after;
    bench.train(parts);
  }
  CHECK(test::tensors_of(whole.last()) == test::tensors_of(parts.last()));
  CHECK(test::timeless_rows(whole.metrics()) == test::timeless_rows(parts.metrics()));
}

TEST_CASE("features go to a file and back") {
  Bench bench;
  Features features = bench.features();
  features.bad_files = {{"a/broken.mp4", "a/broken.mp4: is truncated"}};
  const std::filesystem::path file = bench.folder.path() / "f.safetensors";
  write_features(file, features);
  const Features back = read_features(file);
  CHECK(back.channels == features.channels);
  CHECK(back.names == features.names);
  CHECK(back.contents == features.contents);
  CHECK(back.labels == features.labels);
  CHECK(back.values == features.values);
  CHECK(back.backbone == features.backbone);
  CHECK(back.config == features.config);
  REQUIRE(back.bad_files.size() == 1);
  CHECK(back.bad_files[0].reason == "a/broken.mp4: is truncated");
  CHECK(back.values.size() == back.names.size() * static_cast<size_t>(back.channels));
  CHECK(std::ranges::any_of(back.values, [](float v) { return v != 0; }));
}

TEST_CASE("features need no last layer") {
  Bench bench;
  ModelSpec spec = model_spec(bench.config, 4);
  Network network(bench.backend, DType::f32, spec);
  network.store().initialize(1);
  std::vector<std::vector<float>> memory;
  std::vector<TensorToSave> tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape,
                       const std::vector<double>& values) {
    if (name.starts_with("fc.")) return;
    memory.emplace_back(values.begin(), values.end());
    tensors.push_back({name, ElementType::f32, std::move(shape), memory.back().data()});
  };
  for (const Parameter* p : network.store().list().parameters)
    add(p->name, torch_shape(*p), network.store().read(network.store().weights(), *p));
  for (const Statistic* s : network.store().list().statistics)
    add(s->name, {s->shape.c}, network.store().read(*s));
  const auto file = bench.folder.path() / "backbone.safetensors",
             output = bench.folder.path() / "f.safetensors";
  write_safetensors(file, tensors, {});
  const std::string rest = " --weights " + file.string() + " --model " + bench.config.model.name +
                           " --data " + bench.config.data.path +
                           " --frames 12 --size 20 --threads 2 >/dev/null 2>&1";
  CHECK(std::system((std::string(LABAN_PROGRAM) + " features --output " + output.string() + rest).c_str()) ==
        0);
  const Features features = read_features(output);
  CHECK(features.names.size() == bench.dataset.items.size());
  CHECK(features.backbone == backbone_digest(network.store()));
  // Who classifies needs it.
  CHECK(std::system((std::string(LABAN_PROGRAM) + " eval --split test" + rest).c_str()) != 0);
}

TEST_CASE("features of something else are refused") {
  Bench bench;
  const std::filesystem::path file = bench.folder.path() / "f.safetensors";
  const Features features = bench.features();
  const auto refused = [&](const char* run) {
    std::string said = "nothing";
    bench.config.finetune.features = file.string();
    try {
      bench.train({bench.folder.path() / run});
    } catch (const Error& error) {
      said = error.what();
    }
    return said;
  };
  write_features(file, features);
  SUBCASE("different weights") {
    bench.config.train.seed = 2;
    CHECK(refused("a").find("different weights") != std::string::npos);
  }
  SUBCASE("other clips") {
    bench.config.clip.sampler.frames = 8;
    CHECK(refused("b").find("different [clip] settings") != std::string::npos);
  }
  SUBCASE("another dataset") {
    Features fewer = features;
    fewer.names[3] = "elsewhere";
    write_features(file, fewer);
    CHECK(refused("c").find("no features for clip") != std::string::npos);
  }
  SUBCASE("another dataset of the same names") {
    const auto elsewhere = bench.folder.path() / "moved";
    std::filesystem::copy(bench.config.data.path, elsewhere, std::filesystem::copy_options::recursive);
    for (DatasetItem& item : bench.dataset.items)
      item.path = elsewhere / std::filesystem::relative(item.path, bench.config.data.path);
    CHECK(refused("moved") == "nothing");  // the same
    const DatasetItem& clip = bench.dataset.items[2];
    const FolderIndex index = index_folder(clip.path);
    const std::string first = read_file(index.picture(0)), sixth = read_file(index.picture(5));
    const std::string begin = "clip " + clip.name +
                              " is not the one from which its features were made: that was " +
                              std::to_string(index.count) + " pictures of ";
    write_file(index.picture(5), sixth + "x");  // one byte more
    CHECK(refused("longer").find(begin) != std::string::npos);
    write_file(index.picture(0), sixth);  // as many bytes in all
    write_file(index.picture(5), first);
    CHECK(refused("other").find(begin) != std::string::npos);
    write_file(index.picture(0), first);
    std::filesystem::remove(index.picture(5));
    CHECK(refused("fewer").find("this is " + std::to_string(index.count - 1) + " pictures of ") !=
          std::string::npos);
  }
  SUBCASE("features that do not tell their clips") {
    std::string bytes = read_file(file);
    const size_t at = bytes.find("laban.features.2");
    REQUIRE(at != std::string::npos);
    bytes[at + 15] = '1';
    write_file(file, bytes);
    CHECK(refused("older").find("written by an older laban") != std::string::npos);
  }
  SUBCASE("a different class") {
    Features moved = features;
    moved.labels[0] = (moved.labels[0] + 1) % 4;
    write_features(file, moved);
    CHECK(refused("d").find("a different class") != std::string::npos);
  }
  SUBCASE("boxes of pixels") {
    bench.config.train.mix.cutmix = 1;
    bench.config.finetune.features = file.string();
    CHECK_THROWS_WITH_AS(resolve(bench.config), Contains("cutmix"), UsageError);
  }
  SUBCASE("no features at all") {
    write_file(file, "nothing");
    CHECK(refused("e").find("f.safetensors") != std::string::npos);
    const float value = 1;
    write_safetensors(file, std::vector<TensorToSave>{{"features", ElementType::f32, {1, 1}, &value}}, {});
    CHECK(refused("f").find("is not a file of features") != std::string::npos);
  }
}
