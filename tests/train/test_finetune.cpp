// Fine-tuning: freezing, averaging, early stopping and balancing do what docs/finetuning.md says.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/safetensors.h"
#include "cpu/cpu_backend.h"
#include "train/evaluate/evaluation.h"
#include "train/train_fixture.h"
#include "train/trainer.h"

using namespace laban;
using doctest::Contains;
using test::Recorder;
using test::TemporaryFolder;

namespace {

/// 20 clips to train on, 4 to validate on; two epochs of 5 steps.
struct Bench {
  TemporaryFolder folder;
  Config config;
  Dataset dataset;
  Recorder recorder;

  Bench() : config(test::small_config(folder.path() / "data")) {
    test::write_moving_blobs(config.data.path, 6);
    dataset = open_dataset(config.data.path, dataset_settings(config));
    for (size_t i = 0; i < dataset.items.size(); ++i)
      dataset.items[i].split = i % 6 == 5 ? Split::val : Split::train;
  }
  RunFolder new_run(const char* name) const {
    const RunFolder run{folder.path() / name};
    run.create(false);
    return run;
  }
  TrainingResult train(const RunFolder& run) {
    CpuBackend backend(2);
    Trainer trainer(backend, config, dataset, run, recorder, recorder.stop);
    if (std::filesystem::exists(run.last())) trainer.resume(Checkpoint(run.last()));
    return trainer.run();
  }
};

using Tensors = std::map<std::string, std::vector<double>>;

/// The model's tensors in a checkpoint, by name.
Tensors model_tensors(const std::filesystem::path& checkpoint) {
  Tensors tensors;
  for (auto& [name, values] : test::tensors_of(checkpoint))
    if (!name.starts_with("optimizer.") && !name.starts_with("training.")) tensors[name] = values;
  return tensors;
}

/// The tensors with which a run begins.
Tensors first_tensors(Bench& bench) {
  CpuBackend backend(2);
  Trainer trainer(backend, bench.config, bench.dataset, {bench.folder.path() / "never"}, bench.recorder,
                  bench.recorder.stop);
  const ParameterStore& store = trainer.network().store();
  Tensors tensors;
  for (const Parameter* p : store.list().parameters) tensors[p->name] = store.read(store.weights(), *p);
  for (const Statistic* t : store.list().statistics) tensors[t->name] = store.read(*t);
  for (const Counter* c : store.list().counters) tensors[c->name] = {static_cast<double>(c->value)};
  return tensors;
}

}  // namespace

TEST_CASE("frozen tensors are the same bits after training, weight decay and momentum included") {
  Bench bench;
  bench.config.optimizer.weight_decay = 0.1;
  SUBCASE("sgd") {}
  SUBCASE("adamw") { bench.config.optimizer.kind = OptimizerKind::adamw; }
  SUBCASE("bf16") { bench.config.machine.precision = Precision::bf16; }
  bench.config.finetune.freeze.layers = {"stem", "layer2.0.conv1"};
  const RunFolder run = bench.new_run("run");
  bench.train(run);

  const Tensors before = first_tensors(bench), after = model_tensors(run.last());
  REQUIRE(before.size() == after.size());
  int frozen = 0;
  for (const auto& [name, values] : after) {
    const bool is_frozen = name.starts_with("stem.") || name.starts_with("layer2.0.conv1.");
    frozen += is_frozen;
    CHECK_MESSAGE((values == before.at(name)) == is_frozen, name);
  }
  CHECK(frozen > 10);
}

TEST_CASE("with frozen norms, statistics stay and everything else learns") {
  Bench bench;
  bench.config.finetune.freeze.norms = true;
  const RunFolder run = bench.new_run("run");
  bench.train(run);
  const Tensors before = first_tensors(bench);
  for (const auto& [name, values] : model_tensors(run.last())) {
    const bool statistic = name.find("running_") != std::string::npos || name.ends_with("batches_tracked");
    CHECK_MESSAGE((values == before.at(name)) == statistic, name);
  }
}

TEST_CASE("freezing a layer that the model does not have is a usage error") {
  Bench bench;
  bench.config.finetune.freeze.layers = {"layer9"};
  CHECK_THROWS_WITH_AS(bench.train(bench.new_run("run")), Contains("layer9"), UsageError);
}

TEST_CASE("averages of the weights follow their formula, and are what a checkpoint offers") {
  Bench bench;
  bench.config.train.epochs = 1;
  bench.config.finetune.freeze.layers = {"stem"};
  constexpr double kDecay = 0.3;  // (1 + t) / (10 + t) is below it in steps 1 and 2
  // The same run without averages shows every step's weights, because averaging changes nothing of what is
  // learned. It is stopped after every step, and goes on.
  const RunFolder plain = bench.new_run("plain"), averaged = bench.new_run("averaged");
  Tensors expected = first_tensors(bench);
  for (int64_t step = 1; step <= 5; ++step) {
    bench.recorder.stop_after = step;
    bench.recorder.stop = false;
    bench.train(plain);
    const double t = static_cast<double>(step), decay = std::min(kDecay, (1 + t) / (10 + t));
    for (auto& [name, values] : model_tensors(plain.last()))
      for (size_t i = 0; i < values.size(); ++i)
        expected[name][i] = decay * expected[name][i] + (1 - decay) * values[i];
  }
  bench.config.train.ema = kDecay;
  bench.recorder.stop_after = -1;
  bench.recorder.stop = false;
  bench.train(averaged);

  const Tensors learned = model_tensors(plain.last());
  const SafetensorsFile file(averaged.last());
  for (const auto& [name, values] : model_tensors(averaged.last())) {
    if (name.ends_with("batches_tracked")) continue;
    CHECK_MESSAGE(file.doubles("training." + name, file.entries().at(name).shape) == learned.at(name), name);
    if (name.starts_with("stem."))
      CHECK_MESSAGE(values == learned.at(name), name);  // what stays the same is its own average
    else
      CHECK_MESSAGE(values != learned.at(name), name);
    double worst = 0, scale = 1e-3;
    for (size_t i = 0; i < values.size(); ++i) {
      worst = std::max(worst, std::abs(values[i] - expected.at(name)[i]));
      scale = std::max(scale, std::abs(values[i]));
    }
    CHECK_MESSAGE(worst <= 1e-6 * scale, name);
  }
}

TEST_CASE("a run with averages, balance and mixed clips that is interrupted ends with the same bits") {
  Bench bench;
  bench.config.train.ema = 0.9;
  bench.config.train.balance = true;
  bench.config.train.mix.mixup = 0.4;
  bench.config.train.mix.cutmix = 1;
  bench.config.finetune.freeze.layers = {"stem"};
  for (size_t i = 0; i < 4; ++i) bench.dataset.items[i].split = Split::test;  // uneven classes; 4 steps
  const RunFolder whole = bench.new_run("whole"), parts = bench.new_run("parts");
  bench.train(whole);
  for (const int64_t stop_after : {1, 4, 6, -1}) {
    bench.recorder.stop = false;
    bench.recorder.stop_after = stop_after;
    CHECK(bench.train(parts).interrupted == (stop_after > 0));
  }
  CHECK(test::tensors_of(whole.last()) == test::tensors_of(parts.last()));
  CHECK(test::tensors_of(whole.best()) == test::tensors_of(parts.best()));
  CHECK(test::timeless_rows(whole.metrics()) == test::timeless_rows(parts.metrics()));
}

TEST_CASE("validation and the best checkpoint are those of the averages") {
  Bench bench;
  bench.config.train.ema = 0.5;
  const RunFolder run = bench.new_run("run");
  const TrainingResult result = bench.train(run);
  // Evaluating the best checkpoint gives what the run noted down for its best epoch.
  CpuBackend backend(2);
  const Checkpoint best(run.best());
  Network network(backend, DType::f32, model_spec(bench.config, 4));
  best.load_weights(network.store());
  Loader loader(bench.dataset, bench.dataset.of(Split::val), loader_settings(bench.config, SampleMode::val));
  const Evaluation evaluation =
      summarize(*classify(network, loader, {}), bench.dataset, bench.dataset.classes);
  CHECK(evaluation.loss == result.state.best_loss);
  CHECK(evaluation.accuracy == result.state.best_accuracy);
}

TEST_CASE("a run ends when its patience does, and may go on with more") {
  Bench bench;
  bench.config.train.epochs = 12;
  bench.config.train.patience = 2;
  bench.config.schedule.base_lr =
      1e-12;  // nothing is learned: after the statistics have settled, nothing improves
  bench.config.finetune.freeze.norms = true;
  const RunFolder run = bench.new_run("run");
  const TrainingResult result = bench.train(run);
  CHECK(result.ended_early);
  CHECK(!result.interrupted);
  CHECK(result.state.epoch == result.state.best_epoch + 2);
  CHECK(result.state.epoch < 12);
  CHECK(bench.train(run).ended_early);  // resumed as it is, it is at its end
  CHECK(bench.recorder.epochs.size() == static_cast<size_t>(result.state.epoch));
  bench.config.train.patience = 0;
  const TrainingResult more = bench.train(run);
  CHECK(!more.ended_early);
  CHECK(more.state.epoch == 12);
}

TEST_CASE("patience without validation clips is a usage error") {
  Bench bench;
  for (DatasetItem& item : bench.dataset.items) item.split = Split::train;
  bench.config.train.patience = 3;
  CHECK_THROWS_WITH_AS(bench.train(bench.new_run("run")), Contains("no validation clips"), UsageError);
}
