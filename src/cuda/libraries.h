// cuDNN's and cuBLAS's handles.
#pragma once

#include <cublas_v2.h>
#include <cudnn_graph.h>

#include <memory>
#include <type_traits>

#include "cuda/kernels/kernels.h"

namespace laban::cuda {

/// Both libraries on the current device. Made once, before any graph is recorded: a handle takes memory of
/// the GPU. Not for use from several threads at once.
class Libraries {
 public:
  /// Throws Error where there is no GPU, too old a driver, or too old a cuDNN.
  Libraries();

  /// The handle, working on `stream`.
  cudnnHandle_t cudnn(Stream stream);
  /// The same; cuBLAS works in `workspace` and allocates nothing. 256-byte aligned; with one workspace for
  /// one stream its results have the same bits in every run.
  cublasHandle_t cublas(Stream stream, void* workspace, size_t bytes);

 private:
  struct DestroyCudnn {
    void operator()(cudnnHandle_t handle) const { cudnnDestroy(handle); }
  };
  struct DestroyCublas {
    void operator()(cublasHandle_t handle) const { cublasDestroy(handle); }
  };
  std::unique_ptr<std::remove_pointer_t<cudnnHandle_t>, DestroyCudnn> cudnn_;
  std::unique_ptr<std::remove_pointer_t<cublasHandle_t>, DestroyCublas> cublas_;
};

}  // namespace laban::cuda
