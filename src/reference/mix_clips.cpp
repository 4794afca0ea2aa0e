// Mixup and cutmix. Formulas: math/mix.h.
#include "math/mix.h"

#include "reference/loops.h"

namespace laban::reference {

template <>
size_t scratch_bytes(const MixClips&) {
  return 0;
}
template <>
void run(const MixClips& op, Scratch) {
  with_float_type(op.x.dtype, [&]<class T>() {
    const Shape& s = op.x.shape;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    for (int64_t n = 0; n < s.n; ++n) {
      const int64_t m = op.partner.as<int32_t>()[n];
      const double fraction = op.fraction.as<MasterOf<T>>()[n];
      const int32_t* edges = op.box.as<int32_t>() + 4 * n;
      const MixBox box{edges[0], edges[1], edges[2], edges[3]};
      for (int64_t t = 0; t < s.t; ++t)
        for (int64_t h = 0; h < s.h; ++h)
          for (int64_t w = 0; w < s.w; ++w)
            for (int64_t c = 0; c < s.c; ++c) {
              const double value = load(x[s.index(n, t, h, w, c)]), other = load(x[s.index(m, t, h, w, c)]);
              store(y[s.index(n, t, h, w, c)], box.holds(h, w) ? other : blend(value, other, fraction));
            }
    }
  });
}

}  // namespace laban::reference
