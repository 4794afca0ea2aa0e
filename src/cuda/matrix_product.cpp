#include "cuda/matrix_product.h"

#include "cuda/check.h"

namespace laban::cuda {
namespace {

cudaDataType_t cuda_type(DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "matrix products are f32 or bf16");
  return dtype == DType::f32 ? CUDA_R_32F : CUDA_R_16BF;
}

}  // namespace

// cuBLAS counts along columns: to it, row-major c is its transpose, and c^T = op(b)^T op(a)^T.
void run(const MatrixProduct& op, void* workspace, Libraries& libraries, Stream stream) {
  const int64_t rows = op.c.shape.n, columns = op.c.shape.c;
  const int64_t inner = op.transpose_a ? op.a.shape.n : op.a.shape.c;
  require(op.a.count() == rows * inner && op.b.count() == inner * columns, "MatrixProduct: shapes differ");
  require(op.a.dtype == op.b.dtype, "MatrixProduct: factors of two types");

  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  if (op.a.dtype == DType::f32)
    compute = op.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC;
  const float alpha = 1, beta = op.accumulate ? 1.0f : 0.0f;
  const auto transposed = [](bool yes) { return yes ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasHandle_t handle = libraries.cublas(stream, workspace, kProductWorkspace);
  check(cublasGemmEx_64(handle, transposed(op.transpose_b), transposed(op.transpose_a), columns, rows, inner,
                        &alpha, op.b.data, cuda_type(op.b.dtype), op.b.shape.c, op.a.data,
                        cuda_type(op.a.dtype), op.a.shape.c, &beta, op.c.data, cuda_type(op.c.dtype),
                        op.c.shape.c, compute, CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx", rows, 'x', inner, " times ", inner, 'x', columns, ", ", op.a.dtype, " to ",
        op.c.dtype);
}

}  // namespace laban::cuda
