#include "cuda/ladder/ladder.h"

#include "cuda/kernels/batch_norm_apply.h"

namespace laban::cuda {
namespace {

/// A grid of one thread for each of `count` elements or packs.
Launch a_thread_for_each(int64_t count, std::string_view kernel, const BatchNormInfer& op, Stream stream) {
  return {.kernel = kernel,
          .shape = op.x.shape,
          .grid = {narrow_extent(ceil_div(count, kThreads)), 1, 1},
          .block = {kThreads, 1, 1},
          .stream = stream};
}
__device__ int64_t my_number() { return int64_t{blockIdx.x} * kThreads + threadIdx.x; }

BatchNormVectors vectors_of(const BatchNormInfer& op) {
  return {op.gamma.as<float>(), op.beta.as<float>(), op.running_mean.as<float>(), op.running_var.as<float>(),
          static_cast<float>(op.eps)};
}

// ---- 1. three layers, three kernels -----------------------------------------------------------------------

template <class T>
__global__ void normalize(int64_t count, int channels, const T* x, T* y, BatchNormVectors vectors) {
  const int64_t i = my_number();
  if (i >= count) return;
  const auto affine = vectors.channel<true>(static_cast<int>(i % channels));
  y[i] = narrow<T>(affine(widen(x[i])));
}
template <class T>
__global__ void add(int64_t count, const T* residual, T* y) {
  const int64_t i = my_number();
  if (i < count) y[i] = narrow<T>(widen(y[i]) + widen(residual[i]));
}
template <class T>
__global__ void rectify(int64_t count, T* y) {
  const int64_t i = my_number();
  if (i < count) y[i] = narrow<T>(relu(widen(y[i])));
}

void three_kernels(const BatchNormInfer& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    const int64_t count = op.x.count();
    const Launch at = a_thread_for_each(count, "ladder, three kernels", op, stream);
    launch(at, normalize<T>, count, static_cast<int>(op.x.shape.c), op.x.as<T>(), op.y.as<T>(),
           vectors_of(op));
    launch(at, add<T>, count, op.residual.as<T>(), op.y.as<T>());
    launch(at, rectify<T>, count, op.y.as<T>());
  });
}

// ---- 2. fused: what is between the layers stays in a register ----------------------------------------

template <class T>
__global__ void fused_elements(int64_t count, int channels, const T* x, const T* residual, T* y,
                               BatchNormVectors vectors) {
  const int64_t i = my_number();
  if (i >= count) return;
  const auto affine = vectors.channel<true>(static_cast<int>(i % channels));
  y[i] = narrow<T>(relu(affine(widen(x[i])) + widen(residual[i])));
}

void fused(const BatchNormInfer& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    const int64_t count = op.x.count();
    launch(a_thread_for_each(count, "ladder, fused", op, stream), fused_elements<T>, count,
           static_cast<int>(op.x.shape.c), op.x.as<T>(), op.residual.as<T>(), op.y.as<T>(), vectors_of(op));
  });
}

// ---- 3. packs: 16 bytes in each access ---------------------------------------------------------------

template <class T, int n>
__global__ void fused_packs(int64_t count, int packs, const T* x, const T* residual, T* y,
                            BatchNormVectors vectors) {
  const int64_t pack = my_number(), i = pack * n;
  if (i >= count) return;
  const int channel = static_cast<int>(pack % packs) * n;
  Floats<n> value = load<n>(x + i);
  const Floats<n> added = load<n>(residual + i);
  for (int v = 0; v < n; ++v) {
    const auto affine = vectors.channel<true>(channel + v);
    value[v] = relu(affine(value[v]) + added[v]);
  }
  store(y + i, value);
}

void packs(const BatchNormInfer& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    constexpr int n = kPack<T>;
    const int64_t count = op.x.count();
    launch(a_thread_for_each(count / n, "ladder, packs", op, stream), fused_packs<T, n>, count,
           static_cast<int>(op.x.shape.c) / n, op.x.as<T>(), op.residual.as<T>(), op.y.as<T>(),
           vectors_of(op));
  });
}

// ---- 4. a column for life: the channels' constants stay in registers, nothing is divided -------------

template <class T, int n>
__global__ void __launch_bounds__(kThreads)
    fused_columns(int rows, int packs, const T* x, const T* residual, T* y, BatchNormVectors vectors) {
  const int pack = my_pack();
  if (pack >= packs) return;
  BatchNormAffine<float> affine[n];
  for (int v = 0; v < n; ++v) affine[v] = vectors.channel<true>(pack * n + v);
  for_each_batch<1>(rows, [&](Batch<1> row) {
    const int64_t i = (row[0] * packs + pack) * n;
    Floats<n> value = load<n>(x + i);
    const Floats<n> added = load<n>(residual + i);
    for (int v = 0; v < n; ++v) value[v] = relu(affine[v](value[v]) + added[v]);
    store(y + i, value);
  });
}

void columns(const BatchNormInfer& op, Stream stream) {
  with_type(op.x.dtype, [&]<class T>() {
    constexpr int n = kPack<T>;
    const RowGrid cover = cover_rows(op.x.shape, n, 4, kManyBlocks);
    launch(cover.launch("ladder, columns", stream), fused_columns<T, n>, cover.rows, cover.packs,
           op.x.as<T>(), op.residual.as<T>(), op.y.as<T>(), vectors_of(op));
  });
}

// ---- 5. several rows at once: more bytes on their way. What laban uses (batch_norm_apply.h) ----------

void several_rows(const BatchNormInfer& op, Stream stream) { run(op, stream); }

constexpr LadderRung kRungs[] = {
    {"three kernels", 7, three_kernels},   {"fused", 3, fused},
    {"packs of 16 bytes", 3, packs},       {"a column for life", 3, columns},
    {"two rows at once", 3, several_rows},
};

}  // namespace

std::span<const LadderRung> ladder() { return kRungs; }

}  // namespace laban::cuda
