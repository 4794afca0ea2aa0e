// What cuBLAS is told, worked out as cuBLAS documents it (column-major, C = op(A) op(B)), against the product
// as it is written on paper.
#include <doctest/doctest.h>

#include "core/rng.h"
#include "cuda/matrix_product.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;

namespace {

HostTensor random_matrix(int64_t rows, int64_t columns, uint64_t stream) {
  HostTensor tensor(Shape::matrix(rows, columns), DType::f32);
  Rng rng(11, Purpose::test, stream);
  for (int64_t i = 0; i < tensor.shape().count(); ++i) tensor.set(i, rng.normal());
  return tensor;
}

/// The documentation of cublasGemmEx as loops.
void as_documented(const ColumnMajorProduct& p) {
  const auto element = [](const Tensor& t, bool transposed, int64_t stride, int64_t row, int64_t column) {
    if (transposed) std::swap(row, column);
    return static_cast<const float*>(t.data)[row + column * stride];
  };
  for (int64_t row = 0; row < p.m; ++row)
    for (int64_t column = 0; column < p.n; ++column) {
      double sum = 0;
      for (int64_t i = 0; i < p.k; ++i)
        sum += double{element(p.first, p.transpose_first, p.first_stride, row, i)} *
               element(p.second, p.transpose_second, p.second_stride, i, column);
      static_cast<float*>(p.result.data)[row + column * p.result_stride] = static_cast<float>(sum);
    }
}

}  // namespace

TEST_CASE("row-major products reach cuBLAS with the right sides, extents and strides") {
  constexpr int64_t rows = 3, columns = 5, inner = 7;
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) {
      CAPTURE(transpose_a);
      CAPTURE(transpose_b);
      HostTensor a = transpose_a ? random_matrix(inner, rows, 1) : random_matrix(rows, inner, 1);
      HostTensor b = transpose_b ? random_matrix(columns, inner, 2) : random_matrix(inner, columns, 2);
      HostTensor c(Shape::matrix(rows, columns), DType::f32, -99);
      as_documented(
          column_major({.a = a, .b = b, .c = c, .transpose_a = transpose_a, .transpose_b = transpose_b}));
      std::vector<double> expected;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < inner; ++k)
            sum += a[transpose_a ? k * rows + i : i * inner + k] *
                   b[transpose_b ? j * inner + k : k * columns + j];
          expected.push_back(sum);
        }
      CHECK(c.distance(expected) < 1e-5);
    }
}

TEST_CASE("products that do not fit are refused") {
  HostTensor a = random_matrix(3, 7, 1), b = random_matrix(7, 5, 2), c = random_matrix(3, 5, 3);
  CHECK_NOTHROW(column_major({.a = a, .b = b, .c = c}));
  CHECK_THROWS(column_major({.a = a, .b = b, .c = c, .transpose_a = true}));
  CHECK_THROWS(column_major({.a = a, .b = b, .c = c, .transpose_b = true}));
  CHECK_THROWS(column_major({.a = b, .b = a, .c = c}));
  HostTensor narrow(Shape::matrix(7, 5), DType::bf16);
  CHECK_THROWS(column_major({.a = a, .b = narrow, .c = c}));
}
