// Shared by the tests that need a GPU.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "core/error.h"
#include "cuda/make_backend.h"

namespace laban::test {

/// The backend, or nothing (said once) where this machine has no usable GPU. LABAN_GPU_REQUIRED=1 makes that
/// an error: on a machine that has one, a test that skips would be a test that cannot fail.
inline std::unique_ptr<Backend> gpu(const CudaSettings& settings = {}) {
  static std::optional<std::string> missing;
  if (missing) return nullptr;
  try {
    return make_cuda_backend(settings);
  } catch (const Error& error) {
    if (const char* required = std::getenv("LABAN_GPU_REQUIRED"); required && *required == '1') throw;
    missing = error.what();
    std::printf("SKIPPED, every test that needs a GPU: %s\n", missing->c_str());
    return nullptr;
  }
}

}  // namespace laban::test
