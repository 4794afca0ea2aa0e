// A model's layers and costs, from its specification alone.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "layers/layer_row.h"
#include "models/model_spec.h"

namespace laban {

struct SummaryRow {
  LayerRow layer;
  /// Frames, rows and columns of the clip on which one position of this layer's output depends; may extend
  /// beyond the clip. Zero for layers on a shortcut.
  std::array<int64_t, 3> receptive_field{0, 0, 0};
};

struct Summary {
  std::vector<SummaryRow> rows;
  int64_t parameters = 0;
  int64_t macs = 0;         // multiply-accumulates of one forward pass of the whole batch
  int64_t activations = 0;  // elements that forward writes, for the whole batch
};

/// Which published definition a model equals in every parameter and every number: "torchvision's r3d_18",
/// "VMZ's r2plus1d_34 (torchvision's keys)", ... or that there is none.
std::string public_definition(const ModelSpec& spec);

/// Throws Error if clips of this shape (n, 3, t, h, w) do not fit.
Summary summarize(const ModelSpec& spec, const Shape& clips);

}  // namespace laban
