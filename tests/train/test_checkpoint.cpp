#include "train/checkpoint.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/files.h"
#include "models/network.h"
#include "reference/reference_backend.h"
#include "train/train_fixture.h"

using namespace laban;
using doctest::Contains;

namespace {

constexpr int64_t kClasses = 4;

/// A network and an optimizer whose every number has been set to something recognizable.
struct Trained {
  ReferenceBackend backend;
  Config config = test::small_config("some/where");
  Network network;
  Optimizer optimizer;

  explicit Trained(uint64_t seed, OptimizerKind kind = OptimizerKind::adamw, DType compute = DType::f32)
      : network(backend, compute, model_spec(config, kClasses)), optimizer(network.store(), {.kind = kind}) {
    ParameterStore& store = network.store();
    store.initialize(seed);
    Rng rng(seed, Purpose::test);
    const auto fill = [&](int64_t count) {
      std::vector<double> values(static_cast<size_t>(count));
      for (double& value : values) value = static_cast<double>(static_cast<float>(rng.normal()));
      return values;
    };
    for (const Statistic* s : store.list().statistics) store.write(*s, fill(s->shape.count()));
    for (const Optimizer::State& state : optimizer.state())
      for (const Parameter* p : store.list().parameters)
        store.write(state.values, *p, fill(p->shape.count()));
  }
  std::vector<double> everything() {
    std::vector<double> all;
    const auto add = [&](const std::vector<double>& part) {
      all.insert(all.end(), part.begin(), part.end());
    };
    ParameterStore& store = network.store();
    for (const Parameter* p : store.list().parameters) add(store.read(store.weights(), *p));
    for (const Statistic* s : store.list().statistics) add(store.read(*s));
    for (const Optimizer::State& state : optimizer.state())
      for (const Parameter* p : store.list().parameters) add(store.read(state.values, *p));
    return all;
  }
  CheckpointInfo info() const {
    CheckpointInfo info;
    info.config = config;
    info.classes = {"cha-cha", "a \"quoted\" class", "tango", "wälzer"};
    info.dataset = "7 clips, abc";
    info.state = {.epoch = 3,
                  .batch = 5,
                  .step = 41,
                  .batches_run = 82,
                  .loss_sum = 0.1 + 0.2,
                  .clips = 20,
                  .correct = 7};
    info.state.seconds = 12.25;
    info.state.best_accuracy = 2.0 / 3;
    info.state.best_loss = 1e-17;
    info.state.best_epoch = 2;
    info.state.metrics_bytes = 12345;
    return info;
  }
  void save(const std::filesystem::path& path) {
    save_checkpoint(path, network.store(), optimizer, nullptr, info());
  }
};

}  // namespace

TEST_CASE("a checkpoint brings back every number and every setting") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "c.safetensors";
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    Trained saved(1, kind), loaded(2, kind);
    saved.save(path);
    CHECK(saved.everything() != loaded.everything());
    const Checkpoint checkpoint(path);
    const uint64_t version = loaded.network.store().version();
    checkpoint.load_weights(loaded.network.store());
    checkpoint.load_optimizer(loaded.network.store(), loaded.optimizer);
    CHECK(saved.everything() == loaded.everything());
    CHECK(loaded.network.store().version() != version);
    CHECK(loaded.optimizer.steps() == 41);
    CHECK(checkpoint.info().config == saved.config);
    CHECK(checkpoint.info().classes == saved.info().classes);
    CHECK(checkpoint.info().state == saved.info().state);
    CHECK(checkpoint.info().dataset == "7 clips, abc");
    CHECK(!checkpoint.info().version.empty());
  }
}

TEST_CASE("f64 runs keep their f64") {
  const test::TemporaryFolder folder;
  Trained saved(1, OptimizerKind::sgd, DType::f64), loaded(2, OptimizerKind::sgd, DType::f64);
  saved.save(folder.path() / "c");
  const Checkpoint checkpoint(folder.path() / "c");
  checkpoint.load_weights(loaded.network.store());
  checkpoint.load_optimizer(loaded.network.store(), loaded.optimizer);
  CHECK(saved.everything() == loaded.everything());
}

TEST_CASE("tensors carry torchvision's names and PyTorch's layout") {
  const test::TemporaryFolder folder;
  Trained trained(1);
  trained.save(folder.path() / "c");
  const SafetensorsFile file(folder.path() / "c");
  const auto shape_of = [&](const char* name) { return file.entries().at(name).shape; };
  CHECK(shape_of("layer2.0.downsample.0.weight").size() == 5);  // 1x1x1, and five-dimensional all the same
  CHECK(shape_of("layer2.0.downsample.1.running_var").size() == 1);
  CHECK(shape_of("fc.weight").size() == 2);
  CHECK(shape_of("fc.weight").front() == kClasses);
  CHECK(shape_of("fc.bias") == std::vector<int64_t>{kClasses});
  CHECK(file.entries().at("fc.bias").type == ElementType::f32);
  CHECK(file.entries().contains("optimizer.exp_avg.fc.weight"));
  for (const auto& [name, entry] : file.entries())
    CHECK_MESSAGE(entry.type == (name.ends_with("num_batches_tracked") ? ElementType::i64 : ElementType::f32),
                  name);

  // O,I,kT,kH,kW with kW fastest, against the memory of the network, where I is fastest.
  for (const Parameter* p : trained.network.store().list().parameters) {
    if (p->rank != 5) continue;
    const Shape& s = p->shape;
    const std::vector<double> stored = file.doubles(p->name, std::vector<int64_t>{s.n, s.c, s.t, s.h, s.w});
    size_t at = 0;
    bool same = true;
    for (int64_t o = 0; o < s.n; ++o)
      for (int64_t i = 0; i < s.c; ++i)
        for (int64_t t = 0; t < s.t; ++t)
          for (int64_t h = 0; h < s.h; ++h)
            for (int64_t w = 0; w < s.w; ++w)
              same = same && stored[at++] ==
                                 static_cast<double>(p->value.as<float>()[p->storage.index(o, t, h, w, i)]);
    CHECK_MESSAGE(same, p->name);
  }
}

TEST_CASE("files that are no checkpoint of this network say why") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "c.safetensors";
  const float one = 1;
  const TensorToSave tensor{"fc.bias", ElementType::f32, {1}, &one};

  write_safetensors(path, std::span(&tensor, 1), {{"format", "pt"}});
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("not a laban checkpoint"), FileError);
  write_safetensors(path, std::span(&tensor, 1), {{"format", "laban.checkpoint.9"}, {"version", "7.0"}});
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("laban.checkpoint.9"), FileError);

  Trained trained(1);
  trained.save(path);
  std::string bytes = read_file(path);
  write_file(path, bytes.substr(0, bytes.size() / 2));
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("is truncated"), FileError);
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
  write_file(path, bytes);
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("do not match its checksum"), FileError);

  const auto with_metadata = [&](const char* key, const std::string& value) {
    trained.save(path);
    auto metadata = SafetensorsFile(path).metadata();
    metadata[key] = value;
    write_safetensors(path, std::span(&tensor, 1), metadata);
  };
  with_metadata("config", "[model]\nflavor = 3\n");
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("flavor"), FileError);
  with_metadata("classes", "[]");
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("list of classes"), FileError);
  with_metadata("state", "{\"epoch\": \"two\"}");
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("its state lacks 'epoch'"), FileError);
  // Forged ones: numbers that no run comes to, nesting, classes that the weights do not have.
  const auto state_with = [&](const std::string& key, const std::string& value) {
    trained.save(path);
    std::string state = SafetensorsFile(path).metadata().at("state");
    const size_t at = state.find("\"" + key + "\":") + key.size() + 3;
    return state.replace(at, state.find_first_of(",}", at) - at, value);
  };
  for (const auto& [key, value] :
       {std::pair("epoch", "-5"), std::pair("epoch", "9223372036854775807"), std::pair("batch", "-1"),
        std::pair("step", "-1"), std::pair("step", "83"), std::pair("batches_run", "-7"),
        std::pair("batches_run", "18446744073709551615"), std::pair("correct", "21"),
        std::pair("clips", "-1"), std::pair("seconds", "-1"), std::pair("best_epoch", "9"),
        std::pair("epoch", "1e300"), std::pair("metrics_bytes", "-1"), std::pair("seconds", "1e999")}) {
    CAPTURE(std::string(key));
    CAPTURE(std::string(value));
    with_metadata("state", state_with(key, value));
    CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("its state "), FileError);
  }
  const std::string deep = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  with_metadata("state", deep);
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("its state lacks 'epoch'"), FileError);
  with_metadata("classes", deep);
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("list of classes"), FileError);
  with_metadata("classes", R"(["b","a","c","b"])");
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("it names the class \"b\" twice"), FileError);
  for (const char* clips : {"0", "00000000zzzzzzzz", "000000000000000"}) {
    with_metadata("clips", clips);
    CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("fingerprints of the clips cannot be read"), FileError);
  }
  std::string keys = "a";
  for (int i = 0; i < 40000; ++i) keys += ".a";
  with_metadata("config", keys + " = 1\n");
  CHECK_THROWS_WITH_AS(Checkpoint{path}, Contains("a key has more than 16 parts"), FileError);
  {
    std::string million = "[\"0\"";
    for (int i = 1; i < 1'000'000; ++i) million += ",\"" + std::to_string(i) + "\"";
    trained.save(path);
    const SafetensorsFile whole(path);
    auto metadata = whole.metadata();
    metadata["classes"] = million + "]";
    const std::vector<float> weights(kClasses * 8);
    const TensorToSave head{"fc.weight", ElementType::f32, {kClasses, 8}, weights.data()};
    write_safetensors(path, std::span(&head, 1), metadata);
    CHECK_THROWS_WITH_AS(Checkpoint{path},
                         Contains("it names more classes than its last layer has, which are 4"), FileError);
  }
  with_metadata("dataset", "");
  CHECK_THROWS_WITH_AS(Checkpoint{path}.load_weights(trained.network.store()), Contains("holds no tensor"),
                       FileError);

  trained.save(path);
  Network other(trained.backend, DType::f32, model_spec(trained.config, kClasses + 1));
  CHECK_THROWS_WITH_AS(Checkpoint{path}.load_weights(other.store()),
                       Contains("tensor 'fc.weight' has shape [4, "), FileError);
}

TEST_CASE("a dataset's fingerprint notices what matters to a resumed run") {
  Dataset dataset;
  dataset.classes = {"a", "b"};
  for (int i = 0; i < 3; ++i) {
    DatasetItem item;
    item.name = text("clip", i);
    item.label = i % 2;
    dataset.items.push_back(item);
  }
  const std::string before = fingerprint(dataset, {});
  CHECK(before.substr(0, 8) == "3 clips,");
  dataset.root = "/moved";
  CHECK(fingerprint(dataset, {}) == before);
  CHECK(fingerprint(dataset, {{"clip1", "broken"}}) != before);
  Dataset changed = dataset;
  changed.items[1].label = 0;
  CHECK(fingerprint(changed, {}) != before);
  changed = dataset;
  changed.items[1].split = Split::test;
  CHECK(fingerprint(changed, {}) != before);
  changed = dataset;
  changed.items.pop_back();
  CHECK(fingerprint(changed, {}) != before);
}
