#include "train/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "cpu/cpu_backend.h"
#include "train/log/data_record.h"
#include "train/train_fixture.h"

using namespace laban;
using doctest::Contains;
using test::Recorder;
using test::TemporaryFolder;

namespace {

/// Everything a run needs, in a temporary folder.
struct Bench {
  TemporaryFolder folder;
  Config config;
  Dataset dataset;
  RunFolder run{folder.path() / "run"};
  CpuBackend backend{2};
  Recorder recorder;

  explicit Bench(int clips_per_class = 4) : config(test::small_config(folder.path() / "data")) {
    test::write_moving_blobs(config.data.path, clips_per_class);
    dataset = open_dataset(config.data.path, dataset_settings(config));
    run.create(false);
  }
  void put_all_in(Split split) {
    for (DatasetItem& item : dataset.items) item.split = split;
  }
  TrainingResult train() { return Trainer(backend, config, dataset, run, recorder, recorder.stop).run(); }
};

}  // namespace

TEST_CASE("the network learns which way a blob moves") {
  Bench bench(40);
  for (size_t i = 0; i < bench.dataset.items.size(); ++i)
    bench.dataset.items[i].split = i % 5 == 0 ? Split::val : Split::train;  // 32 and 128
  bench.config.train.epochs = 24;
  bench.config.train.batch = 8;
  bench.config.model.options.dropout = 0;
  bench.config.optimizer.kind = OptimizerKind::adamw;
  bench.config.schedule.base_lr = 3e-3;

  SUBCASE("f32") {}
  SUBCASE("bf16") { bench.config.machine.precision = Precision::bf16; }
  const TrainingResult result = bench.train();
  CHECK(!result.interrupted);
  CHECK(result.state.epoch == 24);
  REQUIRE(bench.recorder.epochs.size() == 24);
  CHECK(bench.recorder.epochs.back().train_accuracy >= 0.9);
  CHECK(result.state.best_accuracy >= 0.9);
  CHECK(std::filesystem::exists(bench.run.best()));
  CHECK(std::filesystem::exists(bench.run.last()));
}

TEST_CASE("the single-frame control stays near chance") {
  // One frame says nothing about the direction.
  Bench bench(22);
  for (size_t i = 0; i < bench.dataset.items.size(); ++i)
    bench.dataset.items[i].split = i % 2 == 0 ? Split::val : Split::train;
  bench.config.clip.single_frame = true;
  bench.config.train.epochs = 4;
  bench.config.train.batch = 8;
  bench.config.schedule.base_lr = 0.05;
  bench.train();
  REQUIRE(bench.recorder.epochs.size() == 4);
  CHECK(*bench.recorder.epochs.back().val_accuracy < 0.5);  // chance 0.25; 44 clips
}

TEST_CASE("a run logs every step and epoch and keeps its rates") {
  Bench bench(5);
  bench.put_all_in(Split::train);
  for (const size_t i : {0u, 7u, 13u}) bench.dataset.items[i].split = Split::val;  // 17 to train on
  bench.config.train.accumulation = 3;  // 4 batches an epoch: steps of 3 and of 1
  bench.config.train.epochs = 2;
  bench.config.schedule.warmup_epochs = 1;
  const TrainingResult result = bench.train();
  CHECK(result.state.step == 4);
  CHECK(result.state.batches_run == 8);
  REQUIRE(bench.recorder.steps.size() == 4);
  const Schedule schedule(bench.config.schedule, 2, 2);
  for (int64_t i = 0; i < 4; ++i) {
    const StepReport& step = bench.recorder.steps[static_cast<size_t>(i)];
    CHECK(step.step == i + 1);
    CHECK(step.epoch == i / 2 + 1);
    CHECK(step.step_of_epoch == i % 2 + 1);
    CHECK(step.steps_per_epoch == 2);
    CHECK(step.lr == schedule.learning_rate(i));
    CHECK(step.gradient_norm > 0);
    CHECK(step.waiting >= 0);
    CHECK(step.waiting <= 1);
  }
  const auto rows = test::timeless_rows(bench.run.metrics());
  CHECK(rows.size() == 6);
  REQUIRE(bench.recorder.epochs.size() == 2);
  CHECK(bench.recorder.epochs[0].val_accuracy.has_value());
}

TEST_CASE("gradients of an accumulated step are the mean over its clips") {
  // Without batch statistics in the way (frozen mode) two batches of 2 must give what one batch of 4 gives.
  CpuBackend backend(1);
  const Config config = test::small_config("nowhere");
  ModelSpec spec = model_spec(config, 3);
  spec.options.dropout = 0;
  Network network(backend, DType::f32, spec);
  network.store().initialize(1);
  const Shape whole{4, 3, 8, 16, 16}, half{2, 3, 8, 16, 16};
  std::vector<float> clips(static_cast<size_t>(whole.count()));
  Rng rng(1, Purpose::test);
  for (float& value : clips) value = static_cast<float>(rng.normal());
  const std::vector<int32_t> labels{0, 1, 2, 1};
  std::vector<double> losses(4);
  const auto gradient = [&] {
    const auto& list = network.store().list().parameters;
    std::vector<double> all;
    for (const Parameter* p : list) {
      const auto part = network.store().read(network.store().grads(), *p);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  network.store().zero_gradients();
  network.train_step({.clips = Tensor(clips.data(), whole),
                      .labels = labels,
                      .loss = {0, 1.0 / 4},
                      .seed = 1,
                      .step = 1,
                      .losses = losses,
                      .mode = Mode::frozen});
  const std::vector<double> at_once = gradient();
  network.store().zero_gradients();
  for (const size_t i : {0u, 1u})
    network.train_step({.clips = Tensor(clips.data() + i * clips.size() / 2, half),
                        .labels = std::span(labels).subspan(2 * i, 2),
                        .loss = {0, 1.0 / (2 * 2)},
                        .seed = 1,
                        .step = 1,
                        .losses = std::span(losses).subspan(2 * i, 2),
                        .mode = Mode::frozen});
  const std::vector<double> in_parts = gradient();
  double largest = 0, difference = 0;
  for (size_t i = 0; i < at_once.size(); ++i) {
    largest = std::max(largest, std::abs(at_once[i]));
    difference = std::max(difference, std::abs(at_once[i] - in_parts[i]));
  }
  CHECK(largest > 0);
  CHECK(difference < 1e-5 * largest);
}

TEST_CASE("without validation clips a run says so and goes on") {
  Bench bench(2);
  bench.put_all_in(Split::train);
  bench.config.train.epochs = 1;
  const TrainingResult result = bench.train();
  CHECK(result.state.best_epoch == 0);
  CHECK(!std::filesystem::exists(bench.run.best()));
  CHECK(std::filesystem::exists(bench.run.last()));
  REQUIRE(bench.recorder.notes.size() == 1);
  CHECK(bench.recorder.notes[0].find("no validation clips") != std::string::npos);
  CHECK(!bench.recorder.epochs[0].val_loss.has_value());
}

TEST_CASE("what cannot be trained is refused with advice") {
  Bench bench(3);
  bench.put_all_in(Split::test);
  CHECK_THROWS_WITH_AS(bench.train(), Contains("no training clips"), UsageError);
  bench.put_all_in(Split::train);
  bench.config.train.batch = 13;
  CHECK_THROWS_WITH_AS(bench.train(), Contains("only 12 training clips"), UsageError);
  CHECK_THROWS_WITH_AS(bench.train(), Contains("--batch 12 or less"), UsageError);
}

TEST_CASE("a clip that does not decode stops the run, or is left out and named") {
  Bench bench(3);
  bench.put_all_in(Split::train);
  const auto broken = bench.dataset.items[4].path;
  for (const auto& frame : std::filesystem::directory_iterator(broken))
    write_file(frame.path(), "no picture");
  CHECK_THROWS_WITH_AS(bench.train(), Contains(bench.dataset.items[4].name.c_str()), FileError);

  bench.config.data.on_bad_file = OnBadFile::exclude;
  bench.config.train.epochs = 1;
  Recorder& recorder = bench.recorder;
  recorder.notes.clear();
  bench.run.create(true);
  const TrainingResult result = bench.train();
  CHECK(result.state.step == 2);  // 11 clips that can be read, 4 a batch
  bool named = false;
  for (const std::string& note : recorder.notes)
    named = named || note.find(bench.dataset.items[4].name) != std::string::npos;
  CHECK(named);
  CHECK(recorder.checked.size() == 12);
  CHECK(recorder.checked.back() == "train 12/12");
  const std::optional<DataRecord> record = read_data_record(bench.run.data());
  REQUIRE(record);
  CHECK(record->policy == "exclude");
  CHECK(record->left_out() == 1);
  REQUIRE(record->parts.size() == 1);
  CHECK(record->parts[0].split == "train");
  CHECK(record->parts[0].listed == 12);
  CHECK(record->parts[0].left_out[0].reason.find(bench.dataset.items[4].name) != std::string::npos);
}

TEST_CASE("a loss that becomes NaN names step, layer and clips, and spoils no checkpoint") {
  Bench bench(3);
  bench.put_all_in(Split::train);
  bench.config.train.epochs = 1;
  std::string layer;
  SUBCASE("in a weight") { layer = "layer2.0.conv1.0.0.weight"; }
  SUBCASE("in the last layer") { layer = "fc.weight"; }
  Trainer trainer(bench.backend, bench.config, bench.dataset, bench.run, bench.recorder, bench.recorder.stop);
  ParameterStore& store = trainer.network().store();
  for (const Parameter* p : store.list().parameters) {
    if (p->name != layer) continue;
    std::vector<double> values = store.read(store.weights(), *p);
    values[3] = std::numeric_limits<double>::quiet_NaN();
    store.write(store.weights(), *p, values);
  }
  store.weights_changed(true);
  try {
    trainer.run();
    FAIL("the run went on");
  } catch (const TrainingDiverged& error) {
    CHECK(error.step() == 1);
    CHECK(error.place().find(layer) != std::string::npos);
    REQUIRE(error.files().size() == 4);
    for (const std::string& file : error.files()) {
      CHECK(std::ranges::any_of(bench.dataset.items,
                                [&](const DatasetItem& item) { return item.name == file; }));
      CHECK(std::string(error.what()).find(file) != std::string::npos);
    }
    CHECK(std::string(error.what()).find("NaN in step 1") != std::string::npos);
  }
}

TEST_CASE("a validation loss that is NaN ends the run and is nobody's best; an absurd one is told") {
  Bench bench;
  for (size_t i = 0; i < bench.dataset.items.size(); ++i)
    bench.dataset.items[i].split = i % 4 == 3 ? Split::val : Split::train;
  bench.config.train.epochs = 1;
  double statistic = std::numeric_limits<double>::quiet_NaN();
  SUBCASE("NaN") {}
  SUBCASE("absurd") { statistic = -1e8; }
  Trainer trainer(bench.backend, bench.config, bench.dataset, bench.run, bench.recorder, bench.recorder.stop);
  // Training normalizes by the batch's own statistics; the running ones are for evaluation.
  const Statistic* mean = trainer.network().store().list().statistics.front();
  trainer.network().store().write(*mean,
                                  std::vector<double>(static_cast<size_t>(mean->shape.count()), statistic));
  const auto told = [&] {
    return std::ranges::any_of(bench.recorder.notes, [](const std::string& note) {
      return note.find("but guessing has 1.38629") != std::string::npos;
    });
  };
  if (std::isnan(statistic)) {
    CHECK_THROWS_WITH_AS(trainer.run(),
                         Contains("the validation loss became nan in epoch 1, of 4 of 4 clips"), Error);
    CHECK_FALSE(std::filesystem::exists(bench.run.best()));
    CHECK_FALSE(told());
  } else {
    trainer.run();
    CHECK(told());
    CHECK_NOTHROW(Checkpoint{bench.run.best()});
  }
  CHECK_NOTHROW(Checkpoint{bench.run.last()});  // what is written can be read
}

TEST_CASE("activations that overflow are traced to the layer where they do") {
  Bench bench(3);
  bench.put_all_in(Split::train);
  Trainer trainer(bench.backend, bench.config, bench.dataset, bench.run, bench.recorder, bench.recorder.stop);
  ParameterStore& store = trainer.network().store();
  // fc multiplies by 1e38: every logit overflows to infinity, while everything before is finite.
  for (const Parameter* p : store.list().parameters)
    if (p->name == "fc.weight")
      store.write(store.weights(), *p, std::vector<double>(static_cast<size_t>(p->shape.count()), 3e38));
  store.weights_changed(true);
  try {
    trainer.run();
    FAIL("the run went on");
  } catch (const TrainingDiverged& error) {
    CHECK(error.place().find("the output of fc") != std::string::npos);
  }
}
