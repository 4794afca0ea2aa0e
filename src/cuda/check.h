// Every call of the CUDA runtime, cuDNN and cuBLAS goes through check(): a status that is not success becomes
// an Error that names the call, what the library said, what the program was doing, and what to do about it.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn_graph.h>

#include <string>
#include <string_view>

#include "core/error.h"

namespace laban::cuda {

/// Throw the Error for a failed call, a MachineError where the GPU is lost to this process (a kernel's illegal
/// address, say): then nothing must be tried again. `doing` says what for ("conv forward 1x16x56x56x64 ..."), may be empty.
[[noreturn]] void fail(cudaError_t status, std::string_view call, const std::string& doing);
[[noreturn]] void fail(cudnnStatus_t status, std::string_view call, const std::string& doing);
[[noreturn]] void fail(cublasStatus_t status, std::string_view call, const std::string& doing);

/// check(cudaMalloc(&p, bytes), "cudaMalloc", "allocating ", bytes, " bytes"): the parts are put together
/// only where the call failed, so a check costs a comparison.
template <class... Doing>
void check(cudaError_t status, std::string_view call, const Doing&... doing) {
  if (status != cudaSuccess) fail(status, call, text("", doing...));
}
template <class... Doing>
void check(cudnnStatus_t status, std::string_view call, const Doing&... doing) {
  if (status != CUDNN_STATUS_SUCCESS) fail(status, call, text("", doing...));
}
template <class... Doing>
void check(cublasStatus_t status, std::string_view call, const Doing&... doing) {
  if (status != CUBLAS_STATUS_SUCCESS) fail(status, call, text("", doing...));
}

/// cuDNN's own account of its last failure in this thread, on one line; empty where it has none.
std::string last_cudnn_message();

/// Throws Error where the cuDNN that is loaded must not be used: before 9.15, conv3d in bf16 gives wrong
/// results for large tensors (9.8 to 9.14), and plans cannot be made from device properties (before 9.8).
/// `version` is cudnnGetVersion()'s number: 10000*major + 100*minor + patch; `path`: the library's
/// file, for the sentence: a system's old one may come before a newer one.
void require_sound_cudnn(size_t version, const std::string& path = {});

}  // namespace laban::cuda
