// What a person reads when a call of CUDA, cuDNN or cuBLAS fails.
#include <doctest/doctest.h>

#include <string>

#include "cuda/check.h"

using namespace laban;
using namespace laban::cuda;

namespace {

template <class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
bool has(const std::string& message, const char* part) { return message.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("success is silent") {
  CHECK_NOTHROW(check(cudaSuccess, "cudaMalloc"));
  CHECK_NOTHROW(check(CUDNN_STATUS_SUCCESS, "cudnnCreate"));
  CHECK_NOTHROW(check(CUBLAS_STATUS_SUCCESS, "cublasCreate", "a handle"));
}

TEST_CASE("a failed call is named, with its status, what it was for, and what to do") {
  const std::string memory =
      message_of([] { check(cudaErrorMemoryAllocation, "cudaMalloc", 1024, " bytes for the activations"); });
  CHECK(has(memory, "cudaMalloc failed: cudaErrorMemoryAllocation"));
  CHECK(has(memory, "1024 bytes for the activations"));
  CHECK(has(memory, "smaller batch"));

  const std::string driver = message_of([] { check(cudaErrorInsufficientDriver, "cudaGetDeviceCount"); });
  CHECK(has(driver, "cudaErrorInsufficientDriver"));
  CHECK(has(driver, "update the driver"));

  const std::string cudnn =
      message_of([] { check(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH, "cudnnCreate", "GPU ", 0); });
  CHECK(has(cudnn, "cudnnCreate failed: CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH"));
  CHECK(has(cudnn, "GPU 0"));
  CHECK(has(cudnn, "--device cpu"));

  const std::string cublas = message_of([] { check(CUBLAS_STATUS_ALLOC_FAILED, "cublasCreate"); });
  CHECK(has(cublas, "cublasCreate failed: CUBLAS_STATUS_ALLOC_FAILED"));
  CHECK(has(cublas, "memory"));
}

TEST_CASE("a cuDNN with wrong bf16 convolutions is refused, and its version is written as people write it") {
  CHECK_NOTHROW(require_sound_cudnn(91500));
  CHECK_NOTHROW(require_sound_cudnn(91900));
  CHECK_NOTHROW(require_sound_cudnn(100000));
  CHECK(has(message_of([] { require_sound_cudnn(91403); }), "cuDNN 9.14.3 is loaded"));
  CHECK(has(message_of([] { require_sound_cudnn(90800); }), "cuDNN 9.8.0 is loaded"));
  CHECK(has(message_of([] { require_sound_cudnn(8907); }), "cuDNN 8.9.7 is loaded, and"));
  CHECK(has(message_of([] { require_sound_cudnn(90100, "/usr/lib/libcudnn.so.9"); }),
            "cuDNN 9.1.0 is loaded from /usr/lib/libcudnn.so.9, and"));
}
