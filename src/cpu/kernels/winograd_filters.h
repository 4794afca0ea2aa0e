// Winograd's minimal filtering F(m, 3) along one axis, after Lavin & Gray, "Fast algorithms for convolutional
// neural networks", CVPR 2016: m outputs of a filter with three taps from m + 2 products instead of 3m,
//
//   y = A^T [ (G g) * (B^T d) ]                      (* element by element)
//
// and its adjoints: the gradient of the filter is G^T [ sum (A dy) * (B^T d) ].
//
// Any m + 1 points where a polynomial is evaluated (and infinity) give such matrices. F(2, 3) has 0, 1, -1;
// F(4, 3) has 0, 1, -1, 1/2, -2, which lose least to rounding (Barabasz et al., "Error analysis and improving
// the accuracy of Winograd convolution for deep neural networks", 2020). Along two axes the transforms are
// applied one after the other.
//
// All functions work on anything with arithmetic: vectors of channels, or numbers.
#pragma once

#include "cpu/kernels/isa_namespace.h"

namespace laban::cpu::LABAN_ISA {

template <int m>
struct Filter;

/// No filter at all: an axis along which the kernel has one tap.
template <>
struct Filter<1> {
  static constexpr int kOutputs = 1, kTaps = 1, kElements = 1;
  template <class V>
  static void input(const V (&d)[1], V (&v)[1]) {
    v[0] = d[0];
  }
  template <class V>
  static void kernel(const V (&g)[1], V (&u)[1]) {
    u[0] = g[0];
  }
  template <class V>
  static void output(const V (&p)[1], V (&y)[1]) {
    y[0] = p[0];
  }
  template <class V>
  static void output_gradient(const V (&y)[1], V (&p)[1]) {
    p[0] = y[0];
  }
  template <class V>
  static void kernel_gradient(const V (&u)[1], V (&g)[1]) {
    g[0] = u[0];
  }
};

///         | 1  0 -1  0 |        |  1    0    0  |          | 1  1  1  0 |
///   B^T = | 0  1  1  0 |    G = | 1/2  1/2  1/2 |    A^T = | 0  1 -1 -1 |
///         | 0 -1  1  0 |        | 1/2 -1/2  1/2 |
///         | 0  1  0 -1 |        |  0    0    1  |
template <>
struct Filter<2> {
  static constexpr int kOutputs = 2, kTaps = 3, kElements = 4;
  template <class V>
  static void input(const V (&d)[4], V (&v)[4]) {
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[1] - d[3];
  }
  template <class V>
  static void kernel(const V (&g)[3], V (&u)[4]) {
    const V sum = (g[0] + g[2]) * 0.5f, middle = g[1] * 0.5f;
    u[0] = g[0];
    u[1] = sum + middle;
    u[2] = sum - middle;
    u[3] = g[2];
  }
  template <class V>
  static void output(const V (&p)[4], V (&y)[2]) {
    y[0] = p[0] + p[1] + p[2];
    y[1] = p[1] - p[2] - p[3];
  }
  template <class V>
  static void output_gradient(const V (&y)[2], V (&p)[4]) {
    p[0] = y[0];
    p[1] = y[0] + y[1];
    p[2] = y[0] - y[1];
    p[3] = -y[1];
  }
  template <class V>
  static void kernel_gradient(const V (&u)[4], V (&g)[3]) {
    const V sum = (u[1] + u[2]) * 0.5f;
    g[0] = u[0] + sum;
    g[1] = (u[1] - u[2]) * 0.5f;
    g[2] = sum + u[3];
  }
};

///         | 1 -3/2  -2   3/2   1   0 |        |   1     0     0   |
///         | 0  -1   1/2  5/2   1   0 |        |  1/3   1/3   1/3  |          | 1  1  1   1    1  0 |
///   B^T = | 0   1  -5/2  1/2   1   0 |    G = | -1/3   1/3  -1/3  |    A^T = | 0  1 -1  1/2  -2  0 |
///         | 0  -2   -1    2    1   0 |        |-16/15 -8/15 -4/15 |          | 0  1  1  1/4   4  0 |
///         | 0  1/2  -1  -1/2   1   0 |        | 1/15  -2/15  4/15 |          | 0  1 -1  1/8  -8  1 |
///         | 0   1  -3/2  -2   3/2  1 |        |   0     0     1   |
template <>
struct Filter<4> {
  static constexpr int kOutputs = 4, kTaps = 3, kElements = 6;
  template <class V>
  static void input(const V (&d)[6], V (&v)[6]) {
    const V d31 = d[3] - d[1], d42 = d[4] - d[2];
    v[0] = (d[0] + d[4]) + 1.5f * d31 - 2.0f * d[2];
    v[1] = (d[4] - d[1]) + (0.5f * d[2] + 2.5f * d[3]);
    v[2] = (d[4] + d[1]) + (0.5f * d[3] - 2.5f * d[2]);
    v[3] = d42 + 2.0f * d31;
    v[4] = d42 - 0.5f * d31;
    v[5] = (d[1] + d[5]) + 1.5f * d42 - 2.0f * d[3];
  }
  template <class V>
  static void kernel(const V (&g)[3], V (&u)[6]) {
    const V sum = (g[0] + g[2]) * (1.0f / 3), middle = g[1] * (1.0f / 3);
    u[0] = g[0];
    u[1] = sum + middle;
    u[2] = middle - sum;
    u[3] = (4.0f * g[0] + 2.0f * g[1] + g[2]) * (-4.0f / 15);
    u[4] = (g[0] - 2.0f * g[1] + 4.0f * g[2]) * (1.0f / 15);
    u[5] = g[2];
  }
  template <class V>
  static void output(const V (&p)[6], V (&y)[4]) {
    const V sum = p[1] + p[2], difference = p[1] - p[2];
    y[0] = p[0] + sum + (p[3] + p[4]);
    y[1] = difference + (0.5f * p[3] - 2.0f * p[4]);
    y[2] = sum + (0.25f * p[3] + 4.0f * p[4]);
    y[3] = difference + (0.125f * p[3] - 8.0f * p[4]) + p[5];
  }
  template <class V>
  static void output_gradient(const V (&y)[4], V (&p)[6]) {
    const V even = y[0] + y[2], odd = y[1] + y[3];
    p[0] = y[0];
    p[1] = even + odd;
    p[2] = even - odd;
    p[3] = (y[0] + 0.5f * y[1]) + (0.25f * y[2] + 0.125f * y[3]);
    p[4] = (y[0] - 2.0f * y[1]) + (4.0f * y[2] - 8.0f * y[3]);
    p[5] = y[3];
  }
  template <class V>
  static void kernel_gradient(const V (&u)[6], V (&g)[3]) {
    const V sum = (u[1] + u[2]) * (1.0f / 3), difference = (u[1] - u[2]) * (1.0f / 3);
    const V a = u[3] * (-4.0f / 15), b = u[4] * (1.0f / 15);
    g[0] = u[0] + difference + (4.0f * a + b);
    g[1] = sum + (2.0f * a - 2.0f * b);
    g[2] = difference + (a + 4.0f * b) + u[5];
  }
};

/// Applies two filters' transforms of one kind, one along the rows and one along the columns:
/// out(r, c) of `out_rows` x `out_columns` from in(r, c) of `in_rows` x `in_columns`.
template <int in_rows, int in_columns, int out_rows, int out_columns, class V, class Rows, class Columns,
          class In, class Out>
[[gnu::always_inline]] inline void apply_both(Rows&& rows, Columns&& columns, In&& in, Out&& out) {
  V half[out_rows][in_columns];
  for (int c = 0; c < in_columns; ++c) {
    V from[in_rows], to[out_rows];
    for (int r = 0; r < in_rows; ++r) from[r] = in(r, c);
    rows(from, to);
    for (int r = 0; r < out_rows; ++r) half[r][c] = to[r];
  }
  for (int r = 0; r < out_rows; ++r) {
    V to[out_columns];
    columns(half[r], to);
    for (int c = 0; c < out_columns; ++c) out(r, c, to[c]);
  }
}

}  // namespace laban::cpu::LABAN_ISA
