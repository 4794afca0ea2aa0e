// A layer as `laban describe` shows it.
#pragma once

#include <cstdint>
#include <string>

#include "core/tensor.h"
#include "core/window.h"

namespace laban {

/// One row of `laban describe`.
struct LayerRow {
  std::string name;  // "layer2.0.conv1"
  std::string kind;  // "conv3d 3x3x3 s1x2x2"
  Shape output = {};
  int64_t parameters = 0;
  int64_t macs = 0;          // for the whole batch of `input`
  int64_t activations = 0;   // elements written by forward
  Window window = {};        // for the receptive field; 1x1x1 for pointwise layers
  bool on_main_path = true;  // rows of a shortcut do not count toward the receptive field
};

}  // namespace laban
