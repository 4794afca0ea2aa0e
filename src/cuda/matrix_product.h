// Products of row-major matrices, by cuBLAS.
#pragma once

#include "cuda/libraries.h"
#include "cuda/math_mode.h"

namespace laban::cuda {

/// c = op(a) op(b), or c += that; op transposes where asked. Shapes are matrices (rows n, columns c). a and b
/// have one type; c has it too, or is f32. Sums are f32.
struct MatrixProduct {
  Tensor a, b, c;
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;
  bool tf32 = false;  // f32 only: may be rounded to TF32 before it is multiplied
};

/// The same as cuBLAS takes it, which counts along columns: row-major c is its transpose there, and
/// c^T = op(b)^T op(a)^T. first and second are its "A" and "B"; result is m x n, with k products a sum.
struct ColumnMajorProduct {
  Tensor first, second, result;
  bool transpose_first, transpose_second;
  int64_t m, n, k;
  int64_t first_stride, second_stride, result_stride;  // elements from one column to the next
};
/// Throws std::logic_error where the shapes or types do not fit.
ColumnMajorProduct column_major(const MatrixProduct& op);

/// Of every product: what NVIDIA recommends for Hopper; enough for all others.
constexpr size_t kProductWorkspace = size_t{32} << 20;

/// `workspace`: kProductWorkspace bytes, 256-byte aligned.
void run(const MatrixProduct& op, void* workspace, Libraries& libraries, Stream stream);

}  // namespace laban::cuda
