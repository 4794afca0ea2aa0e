#include "models/freeze.h"
#include "core/text.h"

#include <algorithm>

namespace laban {
namespace {

/// True for "layer1.0.conv1.0.weight" in "layer1.0", false for "layer10.weight" in "layer1".
bool lies_in(const std::string& name, const std::string& layer) {
  if (layer == "backbone") return !lies_in(name, "fc");
  return name.starts_with(layer) && name.size() > layer.size() && name[layer.size()] == '.';
}

/// "stem, layer1, layer2, fc"
std::string outermost_layers(const ParameterList& list) {
  std::string names, last;
  for (const Parameter* p : list.parameters) {
    const std::string name = p->name.substr(0, p->name.find('.'));
    if (name != last) append(names, name);
    last = name;
  }
  return names;
}

}  // namespace

void freeze(const ParameterList& list, const FreezeSettings& settings) {
  // A layer is frozen as a whole: the name of one of its parameters is not a layer's name.
  const auto last_part_of = [](const std::string& name) { return name.substr(0, name.rfind('.')); };
  for (const std::string& layer : settings.layers) {
    const bool known = std::ranges::any_of(list.parameters, [&](const Parameter* p) {
      return layer == last_part_of(p->name) || lies_in(last_part_of(p->name), layer);
    });
    if (!known)
      throw UsageError(text("cannot freeze '", layer, "': there is no such layer"),
                       text("The top-level layers are ", outermost_layers(list),
                            "; `laban describe MODEL` lists the others. `backbone` means all but fc."));
  }
  const auto frozen = [&](const std::string& name) {
    return std::ranges::any_of(settings.layers,
                               [&](const std::string& layer) { return lies_in(name, layer); });
  };
  for (Parameter* p : list.parameters) p->frozen = frozen(p->name);
  for (Statistic* s : list.statistics) s->frozen = settings.norms || frozen(s->name);
  for (Counter* c : list.counters) c->frozen = settings.norms || frozen(c->name);
  if (std::ranges::all_of(list.parameters, [](const Parameter* p) { return p->frozen; }))
    throw UsageError("every layer is frozen: nothing is left to train", "Freeze fewer layers.");
}

}  // namespace laban
