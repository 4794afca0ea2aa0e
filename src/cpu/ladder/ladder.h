// The convolution ladder: one convolution from naive loops to the kernel that laban uses, a rung for each idea. The
// page beside it is docs/cpu-backend.md; `laban bench ladder --device cpu` times the rungs.
//
// The convolution is 1 x 3 x 3 with stride 1 and padding 1, the spatial half of R(2+1)D: frames are images, and
//
//   y[p, o] = sum over taps k and channels i of w[o, k, i] * x[p + k - 1, i]
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "cpu/thread_pool.h"

namespace laban::cpu {

struct LadderConvolution {
  int64_t images = 1, rows = 1, columns = 1, inputs = 1, outputs = 1;
  const float *x, *w;  // images x rows x columns x inputs; outputs x 3 x 3 x inputs
  float* y;            // images x rows x columns x outputs

  int64_t places() const { return images * rows * columns; }
  double gflop() const { return 2e-9 * 9 * static_cast<double>(places() * inputs * outputs); }
};

struct LadderRung {
  std::string_view name;
  /// Makes ready what a step makes once (weights in another order, memory); what it returns computes y. The pool is
  /// for the last rung.
  std::function<void()> (*prepare)(const LadderConvolution& convolution, ThreadPool& pool);
  bool threads = false;  // whether it uses the pool
};

}  // namespace laban::cpu
