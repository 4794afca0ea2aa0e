// The ops that have kernels of laban's own, for a backend that runs them: on a GPU, or emulated.
#pragma once

#include <concepts>

#include "core/backend.h"
#include "cuda/kernels/kernels.h"

namespace laban::cuda {

/// What cuDNN and cuBLAS compute.
using LibraryOps = Joined<ConvOps, ConvBatchNormOps, LinearOps>;
using OwnOps = Minus<AllOps, LibraryOps>;

template <class Op>
concept KernelWithoutScratch = requires(const Op& op, Stream stream) {
  cuda::run(op, stream);
};
template <class Op>
concept KernelWithScratch = requires(const Op& op, Scratch scratch, Stream stream) {
  cuda::run(op, scratch, stream);
};
template <class Op>
concept ScratchIsDeclared = requires(const Op& op) {
  { cuda::scratch_bytes(op) } -> std::same_as<size_t>;
};

/// A level of a Chain: runs Op's kernel on Below's stream(), then tells Below: launched().
template <class Below, class Op>
class RunsKernel : public Below {
  static_assert(
      KernelWithoutScratch<Op> || KernelWithScratch<Op>,
      "This op has no kernel. Declare run(const Op&, Stream) or run(const Op&, Scratch, Stream) in "
      "src/cuda/kernels/kernels.h and write it in a .cu file beside it, or add the op to LibraryOps "
      "and CudaBackend.");
  static_assert(
      !KernelWithScratch<Op> || ScratchIsDeclared<Op>,
      "This op's kernel takes scratch, but nobody says how much. Declare scratch_bytes(const Op&) in "
      "src/cuda/kernels/kernels.h.");

 public:
  using Below::Below;
  using Below::run;
  void run(const Op& op, Scratch scratch) override {
    if constexpr (KernelWithScratch<Op>)
      cuda::run(op, scratch, this->stream());
    else
      cuda::run(op, this->stream());
    this->launched();
  }

 protected:
  using Below::scratch_for;
  size_t scratch_for(const Op& op) override {
    if constexpr (KernelWithScratch<Op>)
      return cuda::scratch_bytes(op);
    else
      return 0;
  }
};

}  // namespace laban::cuda
