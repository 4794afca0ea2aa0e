#include "weights/load.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/safetensors_header.h"
#include "core/text.h"
#include "models/builder.h"
#include "models/families.h"
#include "weights/foreign_model.h"
#include "weights/own_keys.h"

namespace laban {
namespace {

constexpr const char* kHead = "fc.";

/// The tensors that a model needs, by name.
std::map<std::string, std::vector<int64_t>> needed(const ParameterList& list) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const Parameter* p : list.parameters) shapes[p->name] = torch_shape(*p);
  for (const Statistic* s : list.statistics) shapes[s->name] = {s->shape.c};
  return shapes;
}

bool is_counter(const std::string& name) { return name.ends_with(".num_batches_tracked"); }

std::string list_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 12;
  std::string list;
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) list += "\n    " + names[i];
  if (names.size() > kShown) list += text("\n    and ", names.size() - kShown, " more");
  return list;
}

/// How a file's tensors differ from those that a model needs.
struct Mismatch {
  std::vector<std::string> missing, unexpected, misshapen;
  bool empty() const { return missing.empty() && unexpected.empty() && misshapen.empty(); }
  std::string str() const {
    std::string all;
    if (!missing.empty()) all += text("\n  missing in the file (", missing.size(), "):", list_of(missing));
    if (!unexpected.empty())
      all += text("\n  in the file, but not in the model (", unexpected.size(), "):", list_of(unexpected));
    if (!misshapen.empty())
      all += text("\n  of a different shape (", misshapen.size(), "):", list_of(misshapen));
    return all;
  }
};

Mismatch compare(const StateDict& state, const std::map<std::string, std::vector<int64_t>>& wanted,
                 bool without_head) {
  Mismatch mismatch;
  const auto ignored = [&](const std::string& name) { return without_head && name.starts_with(kHead); };
  for (const auto& [name, shape] : wanted) {
    if (ignored(name)) continue;
    const auto found = state.tensors().find(name);
    if (found == state.tensors().end())
      mismatch.missing.push_back(name);
    else if (found->second.shape != shape)
      mismatch.misshapen.push_back(
          text(name, ": ", shape_text(found->second.shape), " in the file, ", shape_text(shape), " needed"));
  }
  for (const auto& [name, tensor] : state.tensors())
    if (!ignored(name) && !wanted.contains(name) && !is_counter(name)) mismatch.unexpected.push_back(name);
  return mismatch;
}

std::optional<int64_t> head_classes(const StateDict& state) {
  const auto head = state.tensors().find("fc.weight");
  if (head == state.tensors().end() || head->second.shape.size() != 2) return std::nullopt;
  return head->second.shape[0];
}

/// Whether the last layer has the same inputs, but a different number of classes; or is missing.
bool head_differs(const StateDict& state, const std::map<std::string, std::vector<int64_t>>& wanted) {
  const auto weight = state.tensors().find("fc.weight"), bias = state.tensors().find("fc.bias");
  if (weight == state.tensors().end() && bias == state.tensors().end()) return true;
  const auto need = wanted.find("fc.weight");
  if (weight == state.tensors().end() || need == wanted.end() || weight->second.shape.size() != 2)
    return false;
  return weight->second.shape[1] == need->second[1] && weight->second.shape[0] != need->second[0];
}

std::string advice(const std::vector<std::string>& models) {
  if (models.empty())
    return "It fits none of laban's models, neither with --midplanes per-conv nor with --shortcut A.";
  return "The file fits: " + join(models, "; or ") + ".";
}

/// Throws if the file is plainly of a model of other people's.
void refuse_foreign(const StateDict& state) {
  const std::string like = foreign_model(state);
  if (!like.empty())
    throw FileError(state.path().string(), text("is like ", like, ", which laban cannot build"),
                    text("laban's models are ", join(model_names()),
                         "; `laban weights list` names public files for them."));
}

/// Whether the network keeps its own last layer; throws if the rest, or everything, does not fit.
bool checked_own_head(const StateDict& state, const std::map<std::string, std::vector<int64_t>>& wanted,
                      const ModelSpec& spec, HeadPolicy policy) {
  const bool own_head = policy == HeadPolicy::keep_own && head_differs(state, wanted);
  const Mismatch mismatch = compare(state, wanted, own_head);
  if (mismatch.empty()) return own_head;
  const std::vector<std::string> models = fitting_models(state);
  if (models.empty()) refuse_foreign(state);
  std::string read_so;
  for (const std::string& note : state.notes()) read_so += "\n  " + note;
  throw FileError(
      state.path().string(),
      text("does not fit the model ", spec.name, ", ", spec.classes, " classes:", mismatch.str(), read_so),
      advice(models));
}

std::vector<double> finite_values(const StateDict& state, const std::string& name) {
  if (const ElementType type = state.tensors().at(name).type; !is_floating(type))
    throw FileError(
        state.path().string(),
        text("tensor '", name, "' is ", name_of(type), ", but weights must be floating-point numbers"),
        "Quantized weights must be converted back to F32 by the program that made them.");
  std::vector<double> values = state.values(name);
  // Checked as f32, in which networks compute: a weight out of its range is just as bad.
  const auto bad =
      std::ranges::count_if(values, [](double v) { return !std::isfinite(static_cast<float>(v)); });
  if (bad > 0)
    throw FileError(
        state.path().string(),
        text("tensor '", name, "' contains NaN or infinite values (", bad, " of ", values.size(), ")"),
        "A network cannot work with these; use weights from before they appeared.");
  if (name.ends_with(".running_var") && std::ranges::any_of(values, [](double v) { return v < 0; }))
    throw FileError(state.path().string(), text("tensor '", name, "' contains a negative variance"));
  return values;
}

}  // namespace

std::vector<std::string> fitting_models(const StateDict& state) {
  const StateDict own = with_own_keys(state);
  const int64_t classes = std::max<int64_t>(1, head_classes(own).value_or(1));
  const bool headless = !has_head(own);
  std::vector<std::string> fitting;
  for (const std::string& name : model_names())
    for (const MidplanesRule rule : {MidplanesRule::torchvision, MidplanesRule::per_conv})
      for (const ShortcutKind shortcut : {ShortcutKind::projection, ShortcutKind::subsample}) {
        ModelSpec spec = model_by_name(name, classes);
        const bool factorized = spec.stages.front().conv == ConvKind::factorized;
        if (rule == MidplanesRule::per_conv && !factorized) continue;
        spec.options.midplanes = rule;
        spec.options.shortcut = shortcut;
        ParameterList list;
        const auto layers = build_layers(spec);
        layers->collect(list);
        if (!compare(own, needed(list), headless).empty()) continue;
        fitting.push_back("--model " + name +
                          (rule == MidplanesRule::per_conv ? " --midplanes per-conv" : "") +
                          (shortcut == ShortcutKind::subsample ? " --shortcut A" : ""));
      }
  return fitting;
}

bool has_head(const StateDict& state) {
  const StateDict own = with_own_keys(state);
  return std::ranges::any_of(own.tensors(), [](const auto& item) { return item.first.starts_with(kHead); });
}

int64_t classes_of(const StateDict& state) {
  const auto classes = head_classes(with_own_keys(state));
  if (!classes || *classes < 1) {
    refuse_foreign(state);
    throw FileError(state.path().string(),
                    "has no last layer (fc.weight), so its number of classes is unknown",
                    "Check that it is a state dict of one of laban's models.");
  }
  return *classes;
}

bool fits(const StateDict& state, const ModelSpec& spec) {
  const auto layers = build_layers(spec);
  ParameterList list;
  layers->collect(list);
  return compare(with_own_keys(state), needed(list), /*without_head=*/false).empty();
}

void require_fit(const StateDict& state, const ModelSpec& spec, HeadPolicy policy) {
  const auto layers = build_layers(spec);
  ParameterList list;
  layers->collect(list);
  checked_own_head(with_own_keys(state), needed(list), spec, policy);
}

LoadedWeights load_weights(Network& network, const std::filesystem::path& file, HeadPolicy head) {
  return load_weights(network, StateDict::read(file), head);
}

LoadedWeights load_weights(Network& network, const StateDict& file, HeadPolicy policy) {
  const StateDict state = with_own_keys(file);
  ParameterStore& store = network.store();
  const auto wanted = needed(store.list());
  LoadedWeights loaded;
  loaded.file_classes = head_classes(state);
  loaded.own_head = checked_own_head(state, wanted, network.spec(), policy);

  // Everything is read before anything is written: a file that fails halfway leaves the network unchanged.
  const auto is_own = [&](const std::string& name) { return loaded.own_head && name.starts_with(kHead); };
  std::map<std::string, std::vector<double>> values;
  for (const auto& [name, shape] : wanted)
    if (!is_own(name)) values[name] = finite_values(state, name);
  for (const Parameter* p : store.list().parameters)
    if (!is_own(p->name)) store.write(store.weights(), *p, values.at(p->name));
  for (const Statistic* s : store.list().statistics) store.write(*s, values.at(s->name));
  loaded.tensors = values.size();
  for (Counter* c : store.list().counters) {
    const auto found = state.tensors().find(c->name);
    const bool there = found != state.tensors().end() && found->second.shape.empty();
    c->value = there ? static_cast<int64_t>(state.values(c->name).front()) : 0;
  }
  store.weights_changed(/*refresh_working=*/true);
  return loaded;
}

}  // namespace laban
