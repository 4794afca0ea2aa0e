// Mixup and cutmix: rows of pixels, in tiles. Formulas: math/mix.h.
#include <algorithm>

#include "core/ops/input.h"
#include "cpu/elements.h"
#include "cpu/kernels/ops.h"
#include "cpu/tiles.h"
#include "math/mix.h"

namespace laban::cpu::LABAN_ISA {

void run(const MixClips& op, Scratch, ThreadPool& pool) {
  with_type(op.x.dtype, [&]<class T>() {
    const Shape& s = op.x.shape;
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    const int64_t length = s.w * s.c;
    const Tiles rows = Tiles::of(s.n * s.t * s.h, length);
    pool.for_each_tile(rows.tiles(), [&](int64_t tile, int) {
      for (int64_t row = rows.begin(tile); row < rows.end(tile); ++row) {
        const int64_t h = row % s.h, n = row / (s.h * s.t);
        const int64_t partner_row = op.partner.as<int32_t>()[n] * s.t * s.h + row % (s.h * s.t);
        const float fraction = op.fraction.as<float>()[n];
        const int32_t* edges = op.box.as<int32_t>() + 4 * n;
        const MixBox box{edges[0], edges[1], edges[2], edges[3]};
        const T *own = x + row * length, *other = x + partner_row * length;
        T* to = y + row * length;
#pragma omp simd
        for (int64_t i = 0; i < length; ++i)
          to[i] = narrow<T>(blend(widen(own[i]), widen(other[i]), fraction));
        if (h >= box.top && h < box.bottom && box.left < box.right)
          std::copy(other + box.left * s.c, other + box.right * s.c, to + box.left * s.c);
      }
    });
  });
}

}  // namespace laban::cpu::LABAN_ISA
