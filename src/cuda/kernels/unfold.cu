// The taps along a row of a window laid side by side as channels, and a gradient so laid added where it
// belongs: cuda/unfolded.h says what for.
#include "cuda/kernels/fast_division.h"
#include "cuda/kernels/rows.h"

namespace laban::cuda {
namespace {

/// Which tap and which channel an element of a pack stands for. A few divisions a thread.
template <int n>
struct TapsOfPack {
  int tap[n], channel[n];

  __device__ TapsOfPack(int pack, int channels) {
    for (int v = 0; v < n; ++v) {
      tap[v] = (pack * n + v) / channels;
      channel[v] = (pack * n + v) % channels;
    }
  }
};

struct RowWindow {
  int channels, taps, stride, padding;
};

/// Rows and packs are those of `to`.
template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    unfold_rows(int rows, int packs, const T* x, T* to, Places inputs, Places outputs, int width,
                int x_channels, RowWindow window) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const TapsOfPack<n> of(pack, window.channels);
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const Coordinates o = outputs.at(row.first);
    const int first = o.w * window.stride - window.padding;
    const int64_t line = inputs.row(o.n, o.t, o.h, 0);
    Floats<n> value{};
    for (int v = 0; v < n; ++v) {
      const int w = first + of.tap[v];
      if (of.tap[v] < window.taps && w >= 0 && w < width)
        value[v] = widen(x[(line + w) * x_channels + of.channel[v]]);
    }
    store(to + (row[0] * packs + pack) * n, value);
  });
}

/// Rows and packs are those of `from`; every element has its own place in `into`.
template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    fold_rows(int rows, int packs, const T* from, float* into, int taps, int into_channels, int channels) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const TapsOfPack<n> of(pack, channels);
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const Floats<n> value = load<n>(from + (row[0] * packs + pack) * n);
    for (int v = 0; v < n; ++v)
      if (of.tap[v] < taps) into[(row[0] * taps + of.tap[v]) * into_channels + of.channel[v]] += value[v];
  });
}

}  // namespace

void run(const UnfoldRows& op, Stream stream) {
  const Shape &x = op.x.shape, &to = op.to.shape;
  require(op.channels <= x.c && op.taps * op.channels <= to.c && x.n == to.n && x.t == to.t && x.h == to.h,
          "UnfoldRows: shapes do not fit");
  const RowWindow window{static_cast<int>(op.channels), static_cast<int>(op.taps),
                         static_cast<int>(op.stride), static_cast<int>(op.padding)};
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(to, aligned(op.to), [&]<int n>() {
      const RowGrid cover = cover_rows(to, n, 1, kManyBlocks);
      launch(cover.launch("unfold rows", stream), unfold_rows<T, n>, cover.rows, cover.packs, op.x.as<T>(),
             op.to.as<T>(), Places(x), Places(to), static_cast<int>(x.w), static_cast<int>(x.c), window);
    });
  });
}

void run(const FoldRows& op, Stream stream) {
  const Shape &from = op.from.shape, &into = op.into.shape;
  require(op.channels <= into.c && into.w * op.channels <= from.c && from.w == 1 && from.n == into.n &&
              from.t == into.t && from.h == into.h,
          "FoldRows: shapes do not fit");
  with_type(op.from.dtype, [&]<class T>() {
    with_pack<T>(from, aligned(op.from), [&]<int n>() {
      const RowGrid cover = cover_rows(from, n, 1, kManyBlocks);
      launch(cover.launch("fold rows", stream), fold_rows<T, n>, cover.rows, cover.packs, op.from.as<T>(),
             op.into.as<float>(), static_cast<int>(into.w), static_cast<int>(into.c),
             static_cast<int>(op.channels));
    });
  });
}

}  // namespace laban::cuda
