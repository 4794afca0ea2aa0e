// cuBLAS, as far as laban calls it: one product, by plain loops.
#include <cublas_v2.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "standin/gpu.h"
#include "standin/products.h"
#include "standin/values.h"

using laban::require;
using laban::standin::Gpu;
using laban::standin::Matrix;
using laban::standin::read_values;
using laban::standin::write_values;

struct cublasContext {
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;  // none: cuBLAS would use memory of its own
  size_t workspace_bytes = 0;
};

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  *handle = {stream, nullptr, 0};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  Gpu::the_one().require_piece(workspace, bytes, "cuBLAS's workspace");
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusName(cublasStatus_t) { return "a status of the stand-in cuBLAS"; }
const char* cublasGetStatusString(cublasStatus_t) { return "a failure of the stand-in cuBLAS"; }

cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                               int64_t m, int64_t n, int64_t k, const void* alpha, const void* a,
                               cudaDataType a_type, int64_t a_stride, const void* b, cudaDataType b_type,
                               int64_t b_stride, const void* beta, void* c, cudaDataType c_type,
                               int64_t c_stride, cublasComputeType_t, cublasGemmAlgo_t) {
  require(handle->workspace, "a product without a workspace: cuBLAS would allocate one");
  require(*static_cast<const float*>(alpha) == 1, "the stand-in cuBLAS multiplies by one");
  const float scale = *static_cast<const float*>(beta);
  const auto dtype = [](cudaDataType type) {
    require(type == CUDA_R_32F || type == CUDA_R_16BF, "the stand-in cuBLAS knows f32 and bf16");
    return type == CUDA_R_32F ? laban::DType::f32 : laban::DType::bf16;
  };
  const laban::DType types[] = {dtype(a_type), dtype(b_type), dtype(c_type)};
  const bool a_turned = op_a == CUBLAS_OP_T, b_turned = op_b == CUBLAS_OP_T;
  if (a_stride < (a_turned ? k : m) || b_stride < (b_turned ? n : k) || c_stride < m)
    return CUBLAS_STATUS_INVALID_VALUE;
  // From the first to the last element, gaps between columns included.
  const auto span = [](int64_t stride, int64_t rows, int64_t columns) {
    return (columns - 1) * stride + rows;
  };
  const int64_t a_count = a_turned ? span(a_stride, k, m) : span(a_stride, m, k),
                b_count = b_turned ? span(b_stride, n, k) : span(b_stride, k, n),
                c_count = span(c_stride, m, n);
  Gpu& gpu = Gpu::the_one();
  gpu.require_piece(a, static_cast<size_t>(a_count) * size_of(types[0]), "cublasGemmEx, A");
  gpu.require_piece(b, static_cast<size_t>(b_count) * size_of(types[1]), "cublasGemmEx, B");
  gpu.require_piece(c, static_cast<size_t>(c_count) * size_of(types[2]), "cublasGemmEx, C");
  std::byte* const workspace = static_cast<std::byte*>(handle->workspace);
  const size_t spoiled = std::min<size_t>(handle->workspace_bytes, 4096);
  gpu.put(handle->stream, [=] {
    std::fill_n(workspace, spoiled, std::byte{0xFF});
    // Column-major: what lies side by side is a column. The product's columns are the rows of `sums`.
    const std::vector<float> first = read_values(a, types[0], a_count),
                             second = read_values(b, types[1], b_count);
    const Matrix left{first.data(), m, k, a_turned ? a_stride : 1, a_turned ? 1 : a_stride},
        right{second.data(), k, n, b_turned ? b_stride : 1, b_turned ? 1 : b_stride};
    std::vector<double> sums(static_cast<size_t>(m * n));
    add_product(right.transposed(), left.transposed(), sums.data());
    std::vector<float> result = read_values(c, types[2], c_count);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < m; ++i) {
        float& value = result[static_cast<size_t>(j * c_stride + i)];
        const double before = scale == 0 ? 0 : static_cast<double>(scale) * static_cast<double>(value);
        value = static_cast<float>(sums[static_cast<size_t>(j * m + i)] + before);
      }
    write_values(c, types[2], result);
  });
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
