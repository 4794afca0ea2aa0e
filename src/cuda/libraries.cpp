#include "cuda/libraries.h"

#include <dlfcn.h>

#include "cuda/check.h"

namespace laban::cuda {
namespace {

/// The file that cuDNN was loaded from; empty where the loader does not say.
std::string cudnn_path() {
  Dl_info info{};
  return dladdr(reinterpret_cast<void*>(&cudnnGetVersion), &info) && info.dli_fname ? info.dli_fname : "";
}

}  // namespace

Libraries::Libraries() {
  require_sound_cudnn(cudnnGetVersion(), cudnn_path());
  cudnnHandle_t cudnn = nullptr;
  check(cudnnCreate(&cudnn), "cudnnCreate");
  cudnn_.reset(cudnn);
  cublasHandle_t cublas = nullptr;
  check(cublasCreate(&cublas), "cublasCreate");
  cublas_.reset(cublas);
  // Sums stay in f32 even where the result is bf16; what the products are rounded to, each call says.
  check(
      cublasSetMathMode(cublas, static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                                          CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION)),
      "cublasSetMathMode");
}

cudnnHandle_t Libraries::cudnn(Stream stream) {
  check(cudnnSetStream(cudnn_.get(), stream), "cudnnSetStream");
  return cudnn_.get();
}

cublasHandle_t Libraries::cublas(Stream stream, void* workspace, size_t bytes) {
  check(cublasSetStream(cublas_.get(), stream), "cublasSetStream");  // forgets the workspace
  check(cublasSetWorkspace(cublas_.get(), workspace, bytes), "cublasSetWorkspace", bytes, " bytes");
  return cublas_.get();
}

}  // namespace laban::cuda
