// Max pooling over a window, and its gradient. A thread computes a pack of channels of one place.
#include "cuda/kernels/fast_division.h"
#include "cuda/kernels/rows.h"
#include "math/pool.h"
#include "math/window.h"

namespace laban::cuda {
namespace {

struct PoolWindow {
  Triple kernel, stride, padding;

  explicit PoolWindow(const Window& window)
      : kernel(window.kernel), stride(window.stride), padding(window.padding) {}
};

template <class T, int n>
__global__ void __launch_bounds__(kThreads, 3)
    max_pool_forward(int rows, int packs, const T* x, T* y, uint8_t* taps, Places inputs, Places outputs,
                     PoolWindow window) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const int64_t channels = int64_t{packs} * n;
  const auto& [kernel, stride, padding] = window;
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const Coordinates o = outputs.at(row.first);
    const auto t = taps_inside(o.t, kernel.t, stride.t, padding.t, inputs.t());
    const auto h = taps_inside(o.h, kernel.h, stride.h, padding.h, inputs.h());
    const auto w = taps_inside(o.w, kernel.w, stride.w, padding.w, inputs.w());
    Floats<n> best{};
    Pack<uint8_t, n> won{};
    bool first = true;
    for (int kt = t.begin; kt < t.end; ++kt)
      for (int kh = h.begin; kh < h.end; ++kh)
        for (int kw = w.begin; kw < w.end; ++kw, first = false) {
          const int64_t place = inputs.row(o.n, t.origin + kt, h.origin + kh, w.origin + kw);
          const Floats<n> candidate = load<n>(x + place * channels + pack * n);
          const auto tap = static_cast<uint8_t>((kt * kernel.h + kh) * kernel.w + kw);
          for (int v = 0; v < n; ++v) {
            if (!first && !max_pool_takes(candidate[v], best[v])) continue;
            best[v] = candidate[v];
            won.items[v] = tap;
          }
        }
    const int64_t out = row[0] * channels + pack * n;
    store(y + out, best);
    if (taps) store_pack(taps + out, won);
  });
}

/// Gathers, for each input, from the windows it may have won: no atomics, and one rounding.
template <class T, int n>
__global__ void __launch_bounds__(kThreads, 3)
    max_pool_backward(int rows, int packs, const T* dy, const uint8_t* taps, T* dx, Places inputs,
                      Places outputs, PoolWindow window) {
  const int pack = my_pack();
  if (pack >= packs) return;
  const int64_t channels = int64_t{packs} * n;
  const auto& [kernel, stride, padding] = window;
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const Coordinates i = inputs.at(row.first);
    const auto t = outputs_seeing(i.t, kernel.t, stride.t, padding.t, outputs.t());
    const auto h = outputs_seeing(i.h, kernel.h, stride.h, padding.h, outputs.h());
    const auto w = outputs_seeing(i.w, kernel.w, stride.w, padding.w, outputs.w());
    Floats<n> sum{};
    for (int to = t.begin; to < t.end; ++to)
      for (int ho = h.begin; ho < h.end; ++ho)
        for (int wo = w.begin; wo < w.end; ++wo) {
          const int kt = i.t + padding.t - to * stride.t, kh = i.h + padding.h - ho * stride.h,
                    kw = i.w + padding.w - wo * stride.w;
          const int tap = (kt * kernel.h + kh) * kernel.w + kw;
          const int64_t place = outputs.row(i.n, to, ho, wo) * channels + pack * n;
          const auto won = load_pack<Pack<uint8_t, n>>(taps + place);
          const Floats<n> g = load<n>(dy + place);
          for (int v = 0; v < n; ++v) sum[v] += won.items[v] == tap ? g[v] : 0.0f;
        }
    store(dx + row[0] * channels + pack * n, sum);
  });
}

}  // namespace

void run(const MaxPoolForward& op, Stream stream) {
  require(op.window.volume() <= 256,
          "MaxPoolForward: a window of more than 256 places, whose taps u8 cannot tell");
  with_type(op.x.dtype, [&]<class T>() {
    with_pack<T>(op.y.shape, aligned(op.x, op.y, op.taps), [&]<int n>() {
      const RowGrid cover = cover_rows(op.y.shape, n, 1, kManyBlocks);
      launch(cover.launch("max pool", stream), max_pool_forward<T, n>, cover.rows, cover.packs, op.x.as<T>(),
             op.y.as<T>(), op.taps.as_or_null<uint8_t>(), Places(op.x.shape), Places(op.y.shape),
             PoolWindow(op.window));
    });
  });
}

void run(const MaxPoolBackward& op, Stream stream) {
  with_type(op.dx.dtype, [&]<class T>() {
    with_pack<T>(op.dx.shape, aligned(op.dy, op.taps, op.dx), [&]<int n>() {
      const RowGrid cover = cover_rows(op.dx.shape, n, 1, kManyBlocks);
      launch(cover.launch("max pool backward", stream), max_pool_backward<T, n>, cover.rows, cover.packs,
             op.dy.as<T>(), op.taps.as<uint8_t>(), op.dx.as<T>(), Places(op.dx.shape), Places(op.dy.shape),
             PoolWindow(op.window));
    });
  });
}

}  // namespace laban::cuda
