// What the libraries of a GPU are asked for most: sums of products, each sum in f64. Plain loops over tiles
// that stay in registers, and no code of the reference that results are compared with.
#pragma once

#include <cstdint>
#include <vector>

#include "core/window.h"

namespace laban::standin {

/// A matrix of floats in somebody's memory, with the distances from an element to the next one down and
/// right.
struct Matrix {
  const float* data;
  int64_t rows, columns;
  int64_t down, right;

  float at(int64_t i, int64_t j) const { return data[i * down + j * right]; }
  Matrix transposed() const { return {data, columns, rows, right, down}; }
};

/// sums[i][j] += sum over l of a(i, l) * b(l, j); `sums` row by row.
void add_product(const Matrix& a, const Matrix& b, double* sums);

/// The three passes of a convolution without bias, over NDHWC floats: x [xs], w [ys.c][taps][xs.c], y [ys].
std::vector<float> convolve(const std::vector<float>& x, const Shape& xs, const std::vector<float>& w,
                            const Shape& ys, const Window& window);
std::vector<float> convolve_data(const std::vector<float>& dy, const Shape& ys, const std::vector<float>& w,
                                 const Shape& xs, const Window& window);
std::vector<float> convolve_weights(const std::vector<float>& x, const Shape& xs,
                                    const std::vector<float>& dy, const Shape& ys, const Window& window);

}  // namespace laban::standin
