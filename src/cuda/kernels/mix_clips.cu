// Mixup and cutmix. Formulas: math/mix.h.
#include "cuda/kernels/fast_division.h"
#include "cuda/kernels/rows.h"
#include "math/mix.h"

namespace laban::cuda {
namespace {

template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    mix_clips(int rows, int packs, const T* x, T* y, const int32_t* partner, const float* fraction,
              const int32_t* boxes, Places places) {
  const int pack = my_pack();
  if (pack >= packs) return;
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const Coordinates at = places.at(row.first);
    const int32_t* const edges = boxes + 4 * at.n;
    const MixBox box{edges[0], edges[1], edges[2], edges[3]};
    const auto in_clip = [&](int clip) { return (places.row(clip, at.t, at.h, at.w) * packs + pack) * n; };
    Floats<n> value = load<n>(x + in_clip(at.n));
    const Floats<n> other = load<n>(x + in_clip(partner[at.n]));
    const bool inside = box.holds(at.h, at.w);
    for (int v = 0; v < n; ++v) value[v] = inside ? other[v] : blend(value[v], other[v], fraction[at.n]);
    store(y + in_clip(at.n), value);
  });
}

}  // namespace

void run(const MixClips& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(op.x.shape, aligned(op.x, op.y), [&]<int n>() {
      const RowGrid cover = cover_rows(op.x.shape, n, 1, kManyBlocks);
      launch(cover.launch("mix clips", stream), mix_clips<T, n>, cover.rows, cover.packs, op.x.as<T>(),
             op.y.as<T>(), op.partner.as<int32_t>(), op.fraction.as<float>(), op.box.as<int32_t>(),
             Places(op.x.shape));
    });
  });
}

}  // namespace laban::cuda
