#include "cuda/matrix_product.h"

#include "cuda/check.h"

namespace laban::cuda {
namespace {

cudaDataType_t cuda_type(DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "matrix products are f32 or bf16");
  return dtype == DType::f32 ? CUDA_R_32F : CUDA_R_16BF;
}

}  // namespace

ColumnMajorProduct column_major(const MatrixProduct& op) {
  const int64_t rows = op.c.shape.n, columns = op.c.shape.c;
  const Shape &a = op.a.shape, &b = op.b.shape;
  const int64_t inner = op.transpose_a ? a.n : a.c;
  require((op.transpose_a ? a.c : a.n) == rows && (op.transpose_b ? b.n : b.c) == columns &&
              (op.transpose_b ? b.c : b.n) == inner,
          "MatrixProduct: shapes do not fit");
  require(op.a.dtype == op.b.dtype, "MatrixProduct: factors of two types");
  return {.first = op.b,
          .second = op.a,
          .result = op.c,
          .transpose_first = op.transpose_b,
          .transpose_second = op.transpose_a,
          .m = columns,
          .n = rows,
          .k = inner,
          .first_stride = b.c,
          .second_stride = a.c,
          .result_stride = columns};
}

void run(const MatrixProduct& op, void* workspace, Libraries& libraries, Stream stream) {
  const ColumnMajorProduct p = column_major(op);
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  if (op.a.dtype == DType::f32)
    compute = op.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC;
  const float alpha = 1, beta = op.accumulate ? 1.0f : 0.0f;
  const auto transposed = [](bool yes) { return yes ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const cublasHandle_t handle = libraries.cublas(stream, workspace, kProductWorkspace);
  check(cublasGemmEx_64(handle, transposed(p.transpose_first), transposed(p.transpose_second), p.m, p.n, p.k,
                        &alpha, p.first.data, cuda_type(p.first.dtype), p.first_stride, p.second.data,
                        cuda_type(p.second.dtype), p.second_stride, &beta, p.result.data,
                        cuda_type(p.result.dtype), p.result_stride, compute, CUBLAS_GEMM_DEFAULT),
        "cublasGemmEx", p.n, 'x', p.k, " times ", p.k, 'x', p.m, ", ", op.a.dtype, " to ", op.c.dtype);
}

}  // namespace laban::cuda
