// How fast the rungs of the kernel ladder are on a GPU (docs/kernel-ladder.md).
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"

namespace laban {

struct LadderTimes {
  struct Rung {
    std::string name;
    double seconds = 0;  // the fastest of several measurements
    double gbyte = 0;    // that this rung moves to and from memory, at the least
  };
  std::string gpu;
  std::vector<Rung> rungs;
  double gbyte = 0;                  // that the op needs to move, at the least
  double copy_gbyte_per_second = 0;  // what a copy of one tensor of this size reaches
};

/// Times every rung on GPU `gpu` over tensors of `shape` (bf16: 8, f32: 4 must divide the channels). Throws
/// as make_cuda_backend does.
LadderTimes time_ladder(int gpu, const Shape& shape, DType dtype);

}  // namespace laban
