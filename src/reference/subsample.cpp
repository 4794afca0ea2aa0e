// The parameter-free shortcut: every stride-th place, and zeros for the channels that x does not have.
#include "reference/loops.h"

namespace laban::reference {

template <>
size_t scratch_bytes(const SubsampleForward&) {
  return 0;
}
template <>
void run(const SubsampleForward& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    const Shape &xs = op.x.shape, &ys = op.y.shape;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    for (int64_t n = 0; n < ys.n; ++n)
      for (int64_t t = 0; t < ys.t; ++t)
        for (int64_t h = 0; h < ys.h; ++h)
          for (int64_t w = 0; w < ys.w; ++w) {
            const T* in = x + xs.index(n, t * op.stride[0], h * op.stride[1], w * op.stride[2], 0);
            T* out = y + ys.index(n, t, h, w, 0);
            for (int64_t c = 0; c < ys.c; ++c) out[c] = c < xs.c ? in[c] : T{};
          }
  });
}

template <>
size_t scratch_bytes(const SubsampleBackward&) {
  return 0;
}
template <>
void run(const SubsampleBackward& op, Scratch) {
  with_float_type(op.dx.dtype, [&]<class T>() {
    const Shape &xs = op.dx.shape, &ys = op.dy.shape;
    const auto [st, sh, sw] = op.stride;
    const T* dy = op.dy.as<T>();
    T* dx = op.dx.as<T>();
    for (int64_t n = 0; n < xs.n; ++n)
      for (int64_t t = 0; t < xs.t; ++t)
        for (int64_t h = 0; h < xs.h; ++h)
          for (int64_t w = 0; w < xs.w; ++w) {
            const bool taken = t % st == 0 && h % sh == 0 && w % sw == 0;
            T* out = dx + xs.index(n, t, h, w, 0);
            for (int64_t c = 0; c < xs.c; ++c)
              out[c] = taken && c < ys.c ? dy[ys.index(n, t / st, h / sh, w / sw, c)] : T{};
          }
  });
}

}  // namespace laban::reference
