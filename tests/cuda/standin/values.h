// Tensors of the GPU as floats.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor.h"

namespace laban::standin {

inline std::vector<float> read_values(const void* from, DType dtype, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    values[static_cast<size_t>(i)] = dtype == DType::f32
                                         ? static_cast<const float*>(from)[i]
                                         : static_cast<float>(static_cast<const BFloat16*>(from)[i]);
  return values;
}

inline void write_values(void* to, DType dtype, const std::vector<float>& values) {
  for (size_t i = 0; i < values.size(); ++i)
    if (dtype == DType::f32)
      static_cast<float*>(to)[i] = values[i];
    else
      static_cast<BFloat16*>(to)[i] = BFloat16(values[i]);
}

}  // namespace laban::standin
