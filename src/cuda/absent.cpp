#include "core/error.h"
#include "cuda/cuda_backend.h"

namespace laban {

bool cuda_is_built() { return false; }

std::unique_ptr<Backend> make_cuda_backend() {
  throw Error("--device cuda: this laban was built without CUDA", "Use --device cpu.");
}

}  // namespace laban
