// From a ModelSpec to layers.
#pragma once

#include <memory>

#include "layers/sequential.h"
#include "models/model_spec.h"

namespace laban {

/// Stem, residual blocks, global average pool, dropout if requested, linear layer; names are torchvision's
/// state-dict keys. Throws Error if the specification cannot be built.
std::unique_ptr<Sequential> build_layers(const ModelSpec& spec);

/// The number m of middle channels with which a (2+1)D convolution has as many parameters as a 3x3x3 one,
/// rounded down: in*out*27 = in*m*9 + m*out*3.
constexpr int64_t matched_midplanes(int64_t in, int64_t out) { return in * out * 27 / (in * 9 + 3 * out); }

}  // namespace laban
