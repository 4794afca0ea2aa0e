// Who calls the same tensor what.
#pragma once

#include <string>
#include <string_view>

#include "models/model_spec.h"
#include "weights/state_dict.h"

namespace laban {

/// laban's names are those of torchvision's VideoResNet, which VMZ's PyTorch weights have as well. Hara et
/// al. name the same tensors differently:
///
///   torchvision                     Hara
///   stem.0, stem.1                  conv1, bn1
///   layerL.B.convK.0, .convK.1      layerL.B.convK, layerL.B.bnK
///   layerL.B.downsample.0, .1       the same
///   fc                              the same
enum class KeyStyle { torchvision, hara };

/// From the names of the tensors.
KeyStyle key_style_of(const StateDict& state);
/// What the program of a model's authors expects.
KeyStyle public_key_style(const ModelSpec& spec);

/// A name in laban's own style, and back; names that the style does not know stay as they are.
std::string to_own_key(std::string_view name, KeyStyle style);
std::string from_own_key(std::string_view name, KeyStyle style);

/// The tensors under laban's own names: prefixes that wrappers put in front of every name ("module." of
/// DataParallel, "_orig_mod." of torch.compile) are taken off, and other styles translated.
StateDict with_own_keys(const StateDict& state);

}  // namespace laban
