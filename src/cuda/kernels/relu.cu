// ReLU and its gradient. Formulas: math/activation.h.
#include "cuda/kernels/map.h"
#include "math/activation.h"

namespace laban::cuda {
namespace {

struct Relu {
  LABAN_HD float operator()(float x) const { return relu(x); }
};
struct ReluGradient {
  LABAN_HD float operator()(float y, float dy) const { return relu_gradient(y, dy); }
};

}  // namespace

void run(const ReluForward& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() { map<T, T>("relu forward", Relu{}, op.y, op.x, stream); });
}

void run(const ReluBackward& op, Stream stream) {
  with_type(op.y.dtype,
            [&]<class T>() { map<T, T, T>("relu backward", ReluGradient{}, op.dx, op.y, op.dy, stream); });
}

}  // namespace laban::cuda
