// In place of everything else of this module where laban is built without CUDA.
#include "core/error.h"
#include "cuda/ladder/ladder_bench.h"
#include "cuda/make_backend.h"

namespace laban {
namespace {

[[noreturn]] void refuse() {
  throw Error("--device cuda: this laban was built without CUDA",
              "Use --device cpu, or build it where nvcc, cuDNN and cuBLAS are installed.");
}

}  // namespace

CudaStatus cuda_status(int) noexcept { return {false, "this laban was built without CUDA"}; }
std::unique_ptr<Backend> make_cuda_backend(const CudaSettings&) { refuse(); }
std::string cuda_description(int) { refuse(); }
std::filesystem::path default_plan_file() { return {}; }
LadderTimes time_ladder(int, const Shape&, DType) { refuse(); }

}  // namespace laban
