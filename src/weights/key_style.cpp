#include "weights/key_style.h"

#include <cctype>

namespace laban {
namespace {

/// The length of a prefix such as "layer3.11." without the last dot; 0 if there is none.
size_t block_prefix(std::string_view name) {
  constexpr std::string_view layer = "layer";
  if (!name.starts_with(layer)) return 0;
  size_t at = layer.size();
  for (int part = 0; part < 2; ++part) {
    const size_t begin = at;
    while (at < name.size() && std::isdigit(static_cast<unsigned char>(name[at]))) ++at;
    if (at == begin || at == name.size() || name[at] != '.') return 0;
    ++at;
  }
  return at;
}

/// Replaces the prefix `from` of `text` and returns true, or does nothing.
bool replace_front(std::string& text, std::string_view from, std::string_view to) {
  if (!text.starts_with(from)) return false;
  text.replace(0, from.size(), to);
  return true;
}

}  // namespace

KeyStyle key_style_of(const StateDict& state) {
  return state.tensors().contains("conv1.weight") && state.tensors().contains("bn1.weight")
             ? KeyStyle::hara
             : KeyStyle::torchvision;
}

KeyStyle public_key_style(const ModelSpec& spec) {
  return spec.name.starts_with("resnet3d") ? KeyStyle::hara : KeyStyle::torchvision;
}

std::string to_own_key(std::string_view name, KeyStyle style) {
  const size_t prefix = block_prefix(name);
  std::string rest(name.substr(prefix));
  if (style == KeyStyle::hara) {
    if (prefix == 0) {
      replace_front(rest, "conv1.", "stem.0.") || replace_front(rest, "bn1.", "stem.1.");
    } else {
      for (const std::string k : {"1", "2", "3"})
        if (replace_front(rest, "conv" + k + ".", "conv" + k + ".0.") ||
            replace_front(rest, "bn" + k + ".", "conv" + k + ".1."))
          break;
    }
  }
  return std::string(name.substr(0, prefix)) + rest;
}

std::string from_own_key(std::string_view name, KeyStyle style) {
  const size_t prefix = block_prefix(name);
  std::string rest(name.substr(prefix));
  if (style == KeyStyle::hara) {
    if (prefix == 0) {
      replace_front(rest, "stem.0.", "conv1.") || replace_front(rest, "stem.1.", "bn1.");
    } else {
      for (const std::string k : {"1", "2", "3"})
        if (replace_front(rest, "conv" + k + ".0.", "conv" + k + ".") ||
            replace_front(rest, "conv" + k + ".1.", "bn" + k + "."))
          break;
    }
  }
  return std::string(name.substr(0, prefix)) + rest;
}

}  // namespace laban
