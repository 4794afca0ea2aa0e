#include "core/ops/op.h"

#include "core/ops/conv.h"
#include "core/ops/linear.h"

namespace laban {
namespace {

double gbytes(std::initializer_list<Tensor> tensors) {
  double sum = 0;
  for (const Tensor& tensor : tensors)
    if (tensor) sum += 1e-9 * static_cast<double>(tensor.bytes());
  return sum;
}

}  // namespace

OpCost moving(std::initializer_list<Tensor> tensors, const Shape& geometry) {
  return {.gbyte = gbytes(tensors), .geometry = text(geometry)};
}
OpCost moving(std::initializer_list<Tensor> tensors) { return {.gbyte = gbytes(tensors)}; }

OpCost conv_cost(const Tensor& x, const Tensor& w, const Tensor& y, const Window& window,
                 int64_t own_channels) {
  // Channels that pad are multiplied, too: tensor cores take whole packs. But nobody need multiply a clip's 3
  // channels as 8 (cuda/conv/unfolded.h).
  const int64_t channels = own_channels > 0 && 2 * own_channels <= x.shape.c ? own_channels : x.shape.c;
  return {.gbyte = gbytes({x, w, y}),
          .gflop = 2e-9 * static_cast<double>(y.count() * window.volume() * channels),
          .geometry = text(window, ", ", x.shape, " -> ", y.shape.c)};
}

OpCost linear_cost(std::initializer_list<Tensor> moved, const Shape& x, const Shape& w) {
  return {.gbyte = gbytes(moved), .gflop = 2e-9 * static_cast<double>(x.n * w.count()), .geometry = text(w)};
}

}  // namespace laban
