#include "weights/export.h"

#include <cstring>

#include "core/error.h"
#include "core/safetensors.h"

namespace laban {

std::vector<ExportedTensor> export_state(Network& network, ElementType type, KeyStyle style) {
  const ParameterStore& store = network.store();
  std::map<std::string, const Statistic*> statistics;
  std::map<std::string, const Counter*> counters;
  for (const Statistic* s : store.list().statistics) statistics[s->name] = s;
  for (const Counter* c : store.list().counters) counters[c->name] = c;

  std::vector<ExportedTensor> state;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape,
                       const std::vector<double>& values) {
    if (const auto at = first_overflow(type, values))
      throw Error(text("tensor '", name, "' contains ", values[*at], ", which is out of range for ",
                       name_of(type), ": it would become infinite"),
                  type == ElementType::f16 ? "Use --dtype bf16 or f32, which have a larger range."
                                           : "Use --dtype f64, which has a larger range.");
    state.push_back({from_own_key(name, style), type, std::move(shape),
                     std::vector<std::byte>(values.size() * size_of(type))});
    encode(type, values, state.back().bytes.data());
  };
  constexpr std::string_view bias = ".bias";
  for (const Parameter* p : store.list().parameters) {
    add(p->name, torch_shape(*p), store.read(store.weights(), *p));
    // PyTorch lists a batch norm's buffers after its parameters, the last of which is the bias.
    if (!p->name.ends_with(bias)) continue;
    const std::string layer = p->name.substr(0, p->name.size() - bias.size());
    for (const char* buffer : {".running_mean", ".running_var"})
      if (const auto s = statistics.find(layer + buffer); s != statistics.end())
        add(s->first, {s->second->shape.c}, store.read(*s->second));
    if (const auto c = counters.find(layer + ".num_batches_tracked"); c != counters.end()) {
      state.push_back(
          {from_own_key(c->first, style), ElementType::i64, {}, std::vector<std::byte>(sizeof(int64_t))});
      std::memcpy(state.back().bytes.data(), &c->second->value, sizeof(int64_t));
    }
  }
  return state;
}

void write_safetensors_state(const std::filesystem::path& path, std::span<const ExportedTensor> state,
                             const std::map<std::string, std::string>& metadata) {
  std::vector<TensorToSave> tensors;
  for (const ExportedTensor& t : state) tensors.push_back({t.name, t.type, t.shape, t.bytes.data()});
  write_safetensors(path, tensors, metadata);
}

}  // namespace laban
