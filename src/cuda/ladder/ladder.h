// The kernel ladder: one op from the naive kernel to the one that laban uses, a rung for each idea. The page
// beside it is docs/kernel-ladder.md; `laban bench ladder` times the rungs.
//
// The op is batch norm with given statistics, residual add and ReLU (BatchNormInfer): little arithmetic for
// every byte, so memory is what a kernel waits for, and no kernel can be faster than three tensors' way.
#pragma once

#include <span>
#include <string_view>

#include "cuda/kernels/kernels.h"

namespace laban::cuda {

struct LadderRung {
  std::string_view name;
  int tensors_moved;  // to and from memory, at the least; the op itself needs 3
  void (*run)(const BatchNormInfer& op, Stream stream);
};

/// From the first rung to the last. Every rung needs a residual and a ReLU, and channels that packs of 16
/// bytes divide.
std::span<const LadderRung> ladder();

}  // namespace laban::cuda
