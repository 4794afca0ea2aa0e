#include "weights/own_keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string>
#include <string_view>

#include "core/error.h"
#include "weights/key_style.h"

namespace laban {
namespace {

using Tensors = std::map<std::string, StoredTensor>;

constexpr std::array<std::string_view, 2> kWrappers{"module.", "_orig_mod."};
constexpr std::string_view kAverages =
    "n_averaged";  // a counter that PyTorch's AveragedModel stores next to "module."

/// The first part of a dotted name.
std::string_view first_part(std::string_view name) { return name.substr(0, name.find('.')); }

bool is_layer(std::string_view part) {
  return part.size() == 6 && part.starts_with("layer") && std::isdigit(static_cast<unsigned char>(part[5]));
}
/// Of what lies below the last layer.
bool is_trunk(std::string_view name) {
  const std::string_view part = first_part(name);
  return part == "stem" || part == "conv1" || part == "bn1" || is_layer(part);
}

bool has_below(const Tensors& tensors, const std::string& prefix) {
  const auto found = tensors.lower_bound(prefix);
  return found != tensors.end() && found->first.starts_with(prefix);
}

size_t count_below(const Tensors& tensors, const std::string& prefix) {
  size_t count = 0;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at)
    ++count;
  return count;
}

/// What stands before the names of each network in the file: "", "module.", "backbone.", ...
std::vector<std::string> networks_in(const Tensors& tensors) {
  std::vector<std::string> prefixes;
  for (const auto& [name, tensor] : tensors)
    for (const std::string_view stem : {"stem.0.weight", "conv1.weight"}) {
      if (!name.ends_with(stem)) continue;
      const std::string prefix = name.substr(0, name.size() - stem.size());
      const bool whole_part = prefix.empty() || prefix.ends_with('.');
      if (whole_part && has_below(tensors, prefix + "layer1.0.") &&
          (stem != "conv1.weight" || tensors.contains(prefix + "bn1.weight")))
        prefixes.push_back(prefix);
    }
  return prefixes;
}

bool is_average(std::string_view prefix) {
  return prefix.find("ema") != prefix.npos || prefix.find("swa") != prefix.npos ||
         prefix.find("averag") != prefix.npos || prefix.find("shadow") != prefix.npos;
}

/// The same tensors under another name, as where one module is kept in two places.
bool is_same(const Tensors& tensors, const std::string& prefix, const std::string& other) {
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at) {
    const auto twin = tensors.find(other + at->first.substr(prefix.size()));
    if (twin == tensors.end() || twin->second.first != at->second.first) return false;
  }
  return true;
}

/// Leaves of several networks the one that is meant.
StateDict with_one_network(const StateDict& state) {
  std::vector<std::string> prefixes = networks_in(state.tensors());
  if (prefixes.size() < 2) return state;
  StateDict one = state;
  const auto drop = [&](const std::string& prefix) {
    if (prefix.empty()) return false;  // everything begins with it
    one = one.filtered([&](const std::string& name) { return !name.starts_with(prefix); });
    std::erase(prefixes, prefix);
    return true;
  };
  for (const std::string& prefix : networks_in(state.tensors()))
    if (prefix != prefixes.front() && is_same(state.tensors(), prefix, prefixes.front())) drop(prefix);
  const auto averages = std::ranges::count_if(prefixes, is_average);
  if (averages > 0 && averages + 1 == static_cast<std::ptrdiff_t>(prefixes.size()))
    for (const std::string& prefix : std::vector(prefixes))
      if (is_average(prefix) && drop(prefix))
        one = one.with_note(text("the averaged weights '", prefix, "' are not read"));
  if (prefixes.size() < 2) return one;
  std::string list;
  for (const std::string& prefix : prefixes)
    list +=
        text(list.empty() ? "" : ", ", "'", prefix, "' (", count_below(state.tensors(), prefix), " tensors)");
  throw FileError(
      state.path().string(), "contains several networks, whose names begin with " + list,
      text("Save the one that is meant, with Python: torch.save({k: v for k, v in state_dict.items() if "
           "k.startswith(\"",
           prefixes.front(), "\")}, \"weights.pt\")."));
}

/// What stands before all names and is none of a network's own: of one network what stands before its stem,
/// else PyTorch's wrappers.
std::string prefix_of(const StateDict& state) {
  const std::vector<std::string> networks = networks_in(state.tensors());
  if (!networks.empty()) return networks.front();
  std::string prefix;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : kWrappers) {
      const std::string longer = prefix + std::string(wrapper);
      const bool all =
          !state.tensors().empty() && std::ranges::all_of(state.tensors(), [&](const auto& item) {
            return item.first.starts_with(longer) || std::string_view(item.first).ends_with(kAverages);
          });
      if (all && has_below(state.tensors(), longer)) prefix = longer, found = true;
    }
  }
  return prefix;
}

/// Takes `prefix` from the names that have it, and the counts of averages beside it away.
StateDict without_wrapper(const StateDict& state, const std::string& prefix) {
  // "n_averaged", "module.n_averaged" beside "module.module.".
  const StateDict bare = state.filtered([&](const std::string& name) {
    if (!name.ends_with(kAverages)) return true;
    const std::string outer = name.substr(0, name.size() - kAverages.size());
    return !(outer.size() < prefix.size() && prefix.starts_with(outer) &&
             (outer.empty() || outer.ends_with('.')));
  });
  for (const auto& [name, tensor] : bare.tensors())
    if (name.starts_with(prefix) && bare.tensors().contains(name.substr(prefix.size())) && !prefix.empty())
      throw FileError(
          state.path().string(), text("contains both '", name, "' and '", name.substr(prefix.size()), "'"),
          text("Save the network alone, with Python: torch.save(model.state_dict(), \"weights.pt\")."));
  return bare.renamed(
      [&](const std::string& name) { return name.starts_with(prefix) ? name.substr(prefix.size()) : name; });
}

bool is_pytorchs_own(std::string prefix) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : kWrappers)
      if (prefix.starts_with(wrapper)) prefix.erase(0, wrapper.size()), found = true;
  }
  return prefix.empty();
}

/// The name, without ".weight", of the only linear layer beside the trunk; empty where there is another thing.
std::string other_head(const Tensors& tensors) {
  std::set<std::string> layers;
  for (const auto& [name, tensor] : tensors)
    if (!is_trunk(name)) layers.insert(name.substr(0, name.rfind('.')));
  if (layers.size() != 1) return "";
  const std::string& head = *layers.begin();
  const auto weight = tensors.find(head + ".weight");
  return weight != tensors.end() && weight->second.shape.size() == 2 ? head : "";
}

StateDict with_named_head(const StateDict& state) {
  const std::string head = other_head(state.tensors());
  if (head.empty() || head == "fc") return state;
  return state
      .renamed([&](const std::string& name) {
        return name.starts_with(head + ".") ? "fc" + name.substr(head.size()) : name;
      })
      .with_note(text("'", head, "' is read as the last layer"));
}

}  // namespace

StateDict with_own_keys(const StateDict& state) {
  const StateDict one = with_one_network(state);
  const std::string prefix = prefix_of(one);
  StateDict bare = without_wrapper(one, prefix);
  if (!is_pytorchs_own(prefix))
    bare = bare.with_note(text("the prefix '", prefix, "' of its names is left out"));
  const KeyStyle style = key_style_of(bare);
  if (style != KeyStyle::torchvision)
    bare = bare.renamed([&](const std::string& name) { return to_own_key(name, style); });
  return networks_in(bare.tensors()).empty() ? bare : with_named_head(bare);
}

}  // namespace laban
