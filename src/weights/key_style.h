// The naming schemes of different programs.
#pragma once

#include <string>
#include <string_view>

#include "models/model_spec.h"
#include "weights/state_dict.h"

namespace laban {

/// laban uses the names of torchvision's VideoResNet, as do VMZ's PyTorch weights. Hara et al. name the same
/// tensors differently:
///
///   torchvision                     Hara
///   stem.0, stem.1                  conv1, bn1
///   layerL.B.convK.0, .convK.1      layerL.B.convK, layerL.B.bnK
///   layerL.B.downsample.0, .1       the same
///   fc                              the same
enum class KeyStyle { torchvision, hara };

/// From the names of the tensors.
KeyStyle key_style_of(const StateDict& state);
/// The naming scheme expected by the program of a model's authors.
KeyStyle public_key_style(const ModelSpec& spec);

/// Converts a name to laban's own style, and back; names unknown to the style are unchanged.
std::string to_own_key(std::string_view name, KeyStyle style);
std::string from_own_key(std::string_view name, KeyStyle style);

}  // namespace laban
