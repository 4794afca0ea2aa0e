// The CUDA backend's own kernels as a backend on host memory: each op runs the host function of
// cuda/kernels/kernels.h, whose kernels the emulation runs. Convolutions and linear layers, which on a GPU
// are cuDNN's and cuBLAS's, stay the reference's.
#pragma once

#include "cuda/kernels/own_ops.h"
#include "reference/reference_backend.h"

namespace laban::emulation {

class OnHost : public ReferenceBackend {
 public:
  std::string_view name() const override { return "CUDA kernels, emulated"; }
  bool supports(DType compute) const override { return compute == DType::f32 || compute == DType::bf16; }

 protected:
  cuda::Stream stream() { return nullptr; }
  void launched() {}
};

class EmulatedBackend : public Chain<cuda::RunsKernel, OnHost, cuda::OwnOps> {};

}  // namespace laban::emulation
