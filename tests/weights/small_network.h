// Small networks of the published kinds, for tests that read and write weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/rng.h"
#include "models/families.h"
#include "models/network.h"
#include "reference/reference_backend.h"

namespace laban::test {

/// A member of the model's family with few channels and one block a stage.
inline ModelSpec small_spec(const std::string& model, int64_t classes = 5) {
  ModelSpec spec = model_by_name(model, classes);
  spec.stem_planes = 4;
  spec.stem_midplanes = 3;
  for (size_t i = 0; i < spec.stages.size(); ++i) {
    spec.stages[i].planes = 4 + 2 * static_cast<int64_t>(i);
    spec.stages[i].blocks = 1;
  }
  return spec;
}

/// Weights, statistics and counts by name.
inline std::map<std::string, std::vector<double>> everything(Network& network) {
  const ParameterStore& store = network.store();
  std::map<std::string, std::vector<double>> values;
  for (const Parameter* p : store.list().parameters) values[p->name] = store.read(store.weights(), *p);
  for (const Statistic* s : store.list().statistics) values[s->name] = store.read(*s);
  for (const Counter* c : store.list().counters) values[c->name] = {static_cast<double>(c->value)};
  return values;
}

/// Weights drawn from `seed`, and statistics and counts unlike those of a new network.
inline void make_used(Network& network, uint64_t seed) {
  ParameterStore& store = network.store();
  store.initialize(seed);
  Rng rng(seed, Purpose::test);
  for (const Statistic* s : store.list().statistics) {
    std::vector<double> values(static_cast<size_t>(s->shape.count()));
    for (double& v : values) v = static_cast<double>(static_cast<float>(rng.uniform(0.5, 2)));
    store.write(*s, values);
  }
  // What f32 holds exactly, so that f32 files give it back.
  for (const Parameter* p : store.list().parameters) {
    std::vector<double> values = store.read(store.weights(), *p);
    for (double& v : values) v = static_cast<double>(static_cast<float>(v + 0.01 * rng.normal()));
    store.write(store.weights(), *p, values);
  }
  int64_t count = 100;
  for (Counter* c : store.list().counters) c->value = ++count;
  store.weights_changed(true);
}

}  // namespace laban::test
