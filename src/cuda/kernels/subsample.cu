// The parameter-free shortcut: every stride-th place, and zeros for the channels that x does not have.
#include "cuda/kernels/fast_division.h"
#include "cuda/kernels/rows.h"

namespace laban::cuda {
namespace {

/// Rows and packs are those of y; x has `from_packs`.
template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    subsample_forward(int rows, int packs, int from_packs, const T* x, T* y, Places inputs, Places outputs,
                      Triple stride) {
  const int pack = my_pack();
  if (pack >= packs) return;
  for_each_batch<1>(rows, [&](Batch<1> row) {
    Floats<n> value{};
    if (pack < from_packs) {
      const Coordinates o = outputs.at(row.first);
      const int64_t place = inputs.row(o.n, o.t * stride.t, o.h * stride.h, o.w * stride.w);
      value = load<n>(x + (place * from_packs + pack) * n);
    }
    store(y + (row[0] * packs + pack) * n, value);
  });
}

/// Rows and packs are those of dx; dy has `from_packs`.
template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    subsample_backward(int rows, int packs, int from_packs, const T* dy, T* dx, Places inputs, Places outputs,
                       Triple stride) {
  const int pack = my_pack();
  if (pack >= packs) return;
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const Coordinates i = inputs.at(row.first);
    const bool taken = i.t % stride.t == 0 && i.h % stride.h == 0 && i.w % stride.w == 0;
    Floats<n> value{};
    if (taken && pack < from_packs) {
      const int64_t place = outputs.row(i.n, i.t / stride.t, i.h / stride.h, i.w / stride.w);
      value = load<n>(dy + (place * from_packs + pack) * n);
    }
    store(dx + (row[0] * packs + pack) * n, value);
  });
}

/// Packs must divide the rows of both tensors.
template <class T, class Body>
void with_pack_of_both(const Tensor& to, const Tensor& from, Body&& body) {
  with_pack<T>(to.shape, aligned(to, from) && from.shape.c % kPack<T> == 0, body);
}

}  // namespace

void run(const SubsampleForward& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    with_pack_of_both<T>(op.y, op.x, [&]<int n>() {
      const RowGrid cover = cover_rows(op.y.shape, n, 1, kManyBlocks);
      launch(cover.launch("subsample", stream), subsample_forward<T, n>, cover.rows, cover.packs,
             static_cast<int>(op.x.shape.c) / n, op.x.as<T>(), op.y.as<T>(), Places(op.x.shape),
             Places(op.y.shape), Triple(op.stride));
    });
  });
}

void run(const SubsampleBackward& op, Stream stream) {
  with_type(op.dx.dtype, [&]<class T>() {
    with_pack_of_both<T>(op.dx, op.dy, [&]<int n>() {
      const RowGrid cover = cover_rows(op.dx.shape, n, 1, kManyBlocks);
      launch(cover.launch("subsample backward", stream), subsample_backward<T, n>, cover.rows, cover.packs,
             static_cast<int>(op.dy.shape.c) / n, op.dy.as<T>(), op.dx.as<T>(), Places(op.dx.shape),
             Places(op.dy.shape), Triple(op.stride));
    });
  });
}

}  // namespace laban::cuda
