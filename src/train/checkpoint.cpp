#include "train/checkpoint.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/sha256.h"

namespace laban {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kFormat = "laban.checkpoint.1";
constexpr const char* kBestMacroF1 = "best_macro_f1";
constexpr const char* kTraining = "training.";  // prefix of the names of weights that have an average

/// Visits the state's fields by their JSON names; used for both saving and loading.
template <class State, class Visit>
void for_each_field(State& state, Visit visit) {
  visit("epoch", state.epoch);
  visit("batch", state.batch);
  visit("step", state.step);
  visit("batches_run", state.batches_run);
  visit("loss_sum", state.loss_sum);
  visit("clips", state.clips);
  visit("correct", state.correct);
  visit("seconds", state.seconds);
  visit("best_accuracy", state.best_accuracy);
  visit("best_loss", state.best_loss);
  visit(kBestMacroF1, state.best_macro_f1);
  visit("best_epoch", state.best_epoch);
  visit("metrics_bytes", state.metrics_bytes);
}

std::string state_name(const Optimizer::State& state, const Parameter& parameter) {
  return "optimizer." + state.name + "." + parameter.name;
}

/// Tensors to be written to a file, in the master dtype.
class Outgoing {
 public:
  explicit Outgoing(DType dtype) : type_(element_type_of(dtype)) {}

  void add(std::string name, std::vector<int64_t> shape, const std::vector<double>& values) {
    std::vector<std::byte> bytes(values.size() * size_of(type_));
    encode(type_, values, bytes.data());
    memory_.push_back(std::move(bytes));
    tensors_.push_back({std::move(name), type_, std::move(shape), memory_.back().data()});
  }
  void add(const Counter& counter) {
    tensors_.push_back({counter.name, ElementType::i64, {}, &counter.value});
  }
  const std::vector<TensorToSave>& tensors() const { return tensors_; }

 private:
  ElementType type_;
  std::vector<std::vector<std::byte>> memory_;
  std::vector<TensorToSave> tensors_;
};

}  // namespace

std::string fingerprint(const Dataset& dataset, const std::vector<BadFile>& left_out) {
  Sha256 sum;
  for (const DatasetItem& item : dataset.items)
    sum.update(text(item.name, '\t', dataset.classes[static_cast<size_t>(item.label)], '\t',
                    kSplitNames[static_cast<size_t>(item.split)], '\n'));
  for (const BadFile& bad : left_out) sum.update("left out\t" + bad.file + "\n");
  return text(dataset.items.size(), " clips, ", sum.hex());
}

void save_checkpoint(const std::filesystem::path& path, const ParameterStore& store,
                     const Optimizer& optimizer, const WeightAverage* average, const CheckpointInfo& info) {
  Outgoing out(master_of(store.compute()));
  const auto add_all = [&](const std::string& prefix, const Tensor& weights, const Tensor& statistics) {
    for (const Parameter* p : store.list().parameters)
      out.add(prefix + p->name, torch_shape(*p), store.read(weights, *p));
    for (const Statistic* s : store.list().statistics)
      out.add(prefix + s->name, {s->shape.c}, store.read(statistics, *s));
  };
  if (average) {
    add_all("", average->weights(), average->statistics());
    add_all(kTraining, store.weights(), store.statistics());
  } else {
    add_all("", store.weights(), store.statistics());
  }
  for (const Counter* c : store.list().counters) out.add(*c);
  for (const Optimizer::State& state : optimizer.state())
    for (const Parameter* p : store.list().parameters)
      out.add(state_name(state, *p), torch_shape(*p), store.read(state.values, *p));

  Json state;
  for_each_field(info.state, [&](const char* name, const auto& value) { state[name] = value; });
  state["seed"] = info.config.train.seed;
  write_safetensors(path, out.tensors(),
                    {{"format", kFormat},
                     {"version", LABAN_VERSION},
                     {"config", to_toml(info.config)},
                     {"model", info.config.model.name},
                     {"classes", Json(info.classes).dump(-1, ' ', false, Json::error_handler_t::replace)},
                     {"state", state.dump()},
                     {"dataset", info.dataset}});
}

Checkpoint::Checkpoint(const std::filesystem::path& path) : file_(path) {
  const auto& metadata = file_.metadata();
  const auto text_of = [&](const char* key) {
    const auto found = metadata.find(key);
    if (found == metadata.end())
      throw FileError(path.string(),
                      text("is a safetensors file, but not a laban checkpoint: it has no '", key, "'"));
    return found->second;
  };
  if (text_of("format") != kFormat)
    throw FileError(path.string(),
                    text("is a checkpoint in format '", text_of("format"), "', but this laban (",
                         LABAN_VERSION, ") reads ", kFormat),
                    text("It was written by laban ", text_of("version"), "; use that version."));
  file_.verify_checksum();

  // From here on, the file is as laban wrote it; any mismatch is due to a different version.
  const auto damaged = [&](const std::string& what) { throw FileError(path.string(), what); };
  info_.version = text_of("version");
  info_.dataset = text_of("dataset");
  try {
    apply_toml(info_.config, text_of("config"), path.string() + " (config)");
  } catch (const UsageError& error) {
    throw FileError(
        path.string(),
        text("its config is not valid in this version of laban (", LABAN_VERSION, "): ", error.what()),
        text("It was written by laban ", info_.version, "."));
  }
  forget_files_to_write(info_.config);
  const Json classes = Json::parse(text_of("classes"), nullptr, false);
  if (!classes.is_array() || classes.empty()) damaged("its list of classes cannot be read");
  for (const Json& name : classes) {
    if (!name.is_string()) damaged("its list of classes cannot be read");
    info_.classes.push_back(name.get<std::string>());
  }
  Json state = Json::parse(text_of("state"), nullptr, false);
  // Before there was a choice, epochs were judged by accuracy; a resumed run goes on so.
  if (state.is_object() && !state.contains(kBestMacroF1)) {
    state[kBestMacroF1] = -1;
    info_.config.train.best_by = BestBy::accuracy;
  }
  for_each_field(info_.state, [&](const char* name, auto& value) {
    if (!state.is_object() || !state.contains(name) || !state[name].is_number())
      damaged(text("its state lacks '", name, "'"));
    value = state[name].get<std::remove_reference_t<decltype(value)>>();
  });
}

void Checkpoint::load_weights(ParameterStore& store) const {
  load(store, "");
  for (Counter* c : store.list().counters) c->value = file_.integers(c->name, {}).front();
}

void Checkpoint::load_training_weights(ParameterStore& store) const { load(store, kTraining); }

void Checkpoint::load(ParameterStore& store, const std::string& prefix) const {
  for (const Parameter* p : store.list().parameters)
    store.write(store.weights(), *p, file_.doubles(prefix + p->name, torch_shape(*p)));
  for (const Statistic* s : store.list().statistics)
    store.write(*s, file_.doubles(prefix + s->name, std::vector<int64_t>{s->shape.c}));
  store.weights_changed(/*refresh_working=*/true);
}

void Checkpoint::load_optimizer(ParameterStore& store, Optimizer& optimizer) const {
  for (const Optimizer::State& state : optimizer.state())
    for (const Parameter* p : store.list().parameters)
      store.write(state.values, *p, file_.doubles(state_name(state, *p), torch_shape(*p)));
  optimizer.set_steps(info_.state.step);
}

}  // namespace laban
