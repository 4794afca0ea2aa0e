// Ops that look at one element at a time.
#include <cstring>

#include "math/activation.h"
#include "reference/loops.h"

namespace laban::reference {

template <>
size_t scratch_bytes(const ReluForward&) {
  return 0;
}
template <>
void run(const ReluForward& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    for (int64_t i = 0; i < op.x.count(); ++i) store(y[i], relu(load(x[i])));
  });
}

template <>
size_t scratch_bytes(const ReluBackward&) {
  return 0;
}
template <>
void run(const ReluBackward& op, Scratch) {
  with_float_type(op.y.dtype, [&]<class T>() {
    const T *y = op.y.as<T>(), *dy = op.dy.as<T>();
    T* dx = op.dx.as<T>();
    for (int64_t i = 0; i < op.y.count(); ++i) store(dx[i], relu_gradient(load(y[i]), load(dy[i])));
  });
}

template <>
size_t scratch_bytes(const Accumulate&) {
  return 0;
}
template <>
void run(const Accumulate& op, Scratch) {
  with_float_type(op.into.dtype, [&]<class T>() {
    const T* from = op.from.as<T>();
    T* into = op.into.as<T>();
    for (int64_t i = 0; i < op.into.count(); ++i) add(into[i], load(from[i]));
  });
}

template <>
size_t scratch_bytes(const Cast&) {
  return 0;
}
template <>
void run(const Cast& op, Scratch) {
  with_float_type(op.from.dtype, [&]<class From>() {
    with_float_type(op.to.dtype, [&]<class To>() {
      const From* from = op.from.as<From>();
      To* to = op.to.as<To>();
      const int64_t channels = op.from.shape.c, padded = op.to.shape.c;
      for (int64_t pixel = 0; pixel < op.to.shape.pixels(); ++pixel)
        for (int64_t c = 0; c < padded; ++c)
          store(to[pixel * padded + c], c < channels ? load(from[pixel * channels + c]) : 0.0);
    });
  });
}

template <>
size_t scratch_bytes(const SetZero&) {
  return 0;
}
template <>
void run(const SetZero& op, Scratch) {
  std::memset(op.x.data, 0, op.x.bytes());  // all bits zero is 0 in every dtype
}

}  // namespace laban::reference
