#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "core/sha256.h"
#include "train/log/json_fields.h"

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

/// What no run can have come to; empty where all is well. Much more than a run of years keeps counters from
/// overflowing.
std::string impossible(const TrainingState& s) {
  constexpr int64_t kMost = int64_t{1} << 53;
  std::string wrong;
  for_each_field(s, [&](const char* name, const auto& value) {
    if (!wrong.empty()) return;
    if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(value)>>) {
      if (!std::isfinite(value) && name != std::string_view("loss_sum"))
        wrong = text("'", name, "' is ", value);
    } else if (static_cast<int64_t>(value) < 0 || static_cast<int64_t>(value) > kMost) {
      wrong = text("'", name, "' is ", value);
    }
  });
  if (!wrong.empty()) return wrong;
  if (s.correct > s.clips) return text(s.correct, " of ", s.clips, " clips are correct");
  if (s.best_epoch > s.epoch + 1) return text("the best epoch is ", s.best_epoch, ", of ", s.epoch);
  if (s.seconds < 0) return text("it has taken ", s.seconds, " seconds");
  if (s.step > s.batches_run) return text(s.step, " steps were made of ", s.batches_run, " batches");
  return "";
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
                     {"dataset", info.dataset},
                     {"clips", to_text(info.clips)}});
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
  if (const auto clips = metadata.find("clips"); clips != metadata.end()) {  // older versions wrote none
    std::optional<std::vector<ClipFingerprint>> known = fingerprints_from(clips->second);
    if (!known) damaged("its fingerprints of the clips cannot be read");
    info_.clips = *std::move(known);
  }
  // Of runs before there was this setting: their split must stay what it was.
  info_.config.data.dataset.split.by = SplitBy::name;
  try {
    apply_toml(info_.config, text_of("config"), path.string() + " (config)");
  } catch (const UsageError& error) {
    throw FileError(
        path.string(),
        text("its config is not valid in this version of laban (", LABAN_VERSION, "): ", error.what()),
        text("It was written by laban ", info_.version, "."));
  }
  forget_files_to_write(info_.config);
  const auto head = file_.entries().find("fc.weight");
  const bool has_head = head != file_.entries().end() && head->second.shape.size() == 2;
  // Seen before millions of names are parsed. A class name has 255 bytes at most, where it is a folder's.
  constexpr size_t kLongestName = 8192;
  if (has_head && text_of("classes").size() / kLongestName > static_cast<size_t>(head->second.shape[0]))
    damaged(text("it names more classes than its last layer has, which are ", head->second.shape[0]));
  const Json classes = fields::parse(text_of("classes"));
  if (!classes.is_array() || classes.empty()) damaged("its list of classes cannot be read");
  for (const Json& name : classes) {
    if (!name.is_string()) damaged("its list of classes cannot be read");
    info_.classes.push_back(name.get<std::string>());
  }
  std::vector<std::string> sorted = info_.classes;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    damaged(text("it names the class \"", visible(*twice), "\" twice"));
  if (has_head && head->second.shape[0] != static_cast<int64_t>(info_.classes.size()))
    damaged(
        text("it names ", info_.classes.size(), " classes, but its last layer has ", head->second.shape[0]));
  Json state = fields::parse(text_of("state"));
  // Before there was a choice, epochs were judged by accuracy; a resumed run goes on so.
  if (state.is_object() && !state.contains(kBestMacroF1)) {
    state[kBestMacroF1] = -1;
    info_.config.train.best_by = BestBy::accuracy;
  }
  for_each_field(info_.state, [&](const char* name, auto& value) {
    using Value = std::remove_reference_t<decltype(value)>;
    if (!state.is_object() || !state.contains(name) || !state[name].is_number())
      damaged(text("its state lacks '", name, "'"));
    if (std::is_integral_v<Value> && !state[name].is_number_integer())
      damaged(text("its state has ", state[name].dump(), " for '", name, "', which is not a whole number"));
    value = state[name].get<Value>();
  });
  if (const std::string wrong = impossible(info_.state); !wrong.empty())
    damaged("its state cannot be: " + wrong);
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
