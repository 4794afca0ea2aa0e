#include "cpu/convolution.h"

#include "cpu/elements.h"
#include "cpu/parallel.h"

namespace laban::cpu {

/// What one convolution in one direction needs, found by its geometry.
struct Convolutions::Plan {
  DType stored = DType::f32;    // activations as the op has them
  DType computed = DType::f32;  // as the primitive has them
  ConvGeometry geometry;        // folded
  // Forward and data: the primitive and the layouts of its weights. Weights: the primitive and the addition
  // of its result to the gradient, or our own kernel.
  Execution convolution;
  dnnl::memory::desc plain, wanted;
  Execution add_gradient;
  std::optional<WeightGradientPlan> own;
  size_t scratchpad = 0;  // bytes
  size_t scratch = 0;     // bytes, all in all
};

namespace {

void cast(int threads, const Tensor& from, const Tensor& to) {
  with_type(from.dtype, [&]<class From>() {
    with_type(to.dtype, [&]<class To>() {
      const From* source = from.as<From>();
      To* target = to.as<To>();
      for_each_range(threads, from.count(), [&](Range range) {
#pragma omp simd
        for (int64_t i = range.begin; i < range.end; ++i) target[i] = narrow<To>(widen(source[i]));
      });
    });
  });
}

size_t line_bytes(size_t bytes) { return ScratchCutter::bytes_for<std::byte>(static_cast<int64_t>(bytes)); }
size_t bytes_as(const Shape& shape, DType dtype) {
  return line_bytes(static_cast<size_t>(shape.count()) * size_of(dtype));
}

/// dbias += column sums of dy. Sums per thread in double, added up in the order of the threads.
void add_bias_gradient(int threads, const Tensor& dy, const Tensor& dbias, ScratchCutter& scratch) {
  const int64_t channels = dy.shape.c, pixels = dy.shape.pixels();
  double* sums = scratch.take<double>(channels * threads);
  with_type(dy.dtype, [&]<class T>() {
    const T* data = dy.as<T>();
    for_each_part(threads, [&](int part) {
      double* sum = sums + channels * part;
      std::fill_n(sum, channels, 0.0);
      const Range range = part_of(pixels, threads, part);
      for (int64_t p = range.begin; p < range.end; ++p)
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) sum[c] += widen(data[p * channels + c]);
    });
  });
  float* out = dbias.as<float>();
  for (int64_t c = 0; c < channels; ++c) {
    double sum = out[c];
    for (int part = 0; part < threads; ++part) sum += sums[channels * part + c];
    out[c] = static_cast<float>(sum);
  }
}

}  // namespace

Convolutions::Plan& Convolutions::plan(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                                       bool with_bias) {
  std::array<int64_t, 22> key{};
  const auto numbers = geometry.key();
  std::copy(numbers.begin(), numbers.end(), key.begin());
  key[19] = static_cast<int64_t>(direction);
  key[20] = static_cast<int64_t>(dtype);
  key[21] = with_bias;
  const auto found = plans_.find(key);
  if (found != plans_.end()) return *found->second;

  const ThreadCountScope scope(threads_);  // oneDNN fixes the number of threads when a primitive is made
  auto made = std::make_shared<Plan>();
  Plan& plan = *made;
  plan.geometry = folded(geometry);
  plan.stored = dtype;
  plan.computed = dtype == DType::bf16 && native_bf16_ ? DType::bf16 : DType::f32;
  const bool widens = plan.stored != plan.computed;
  const bool planar = is_planar(plan.geometry);
  const Shape &x = plan.geometry.x, &y = plan.geometry.y;

  if (direction == ConvDirection::weights && plan.computed == DType::f32 &&
      suits_weight_gradient(plan.geometry)) {
    plan.own = plan_weight_gradient(plan.geometry, threads_);
    plan.scratch = line_bytes(plan.own->scratch_bytes());
  } else {
    const ConvPrimitive made_by = make_convolution(dnn_, direction, plan.geometry, plan.computed, with_bias);
    plan.scratchpad = made_by.scratchpad.get_size();
    plan.scratch =
        line_bytes(plan.scratchpad) + (widens ? bytes_as(x, plan.computed) + bytes_as(y, plan.computed) : 0);
    plan.wanted = made_by.weights;
    switch (direction) {
      case ConvDirection::forward:
        plan.plain = weights_layout(plan.geometry, dtype, planar);
        plan.convolution = {dnn_,
                            made_by.primitive,
                            {{DNNL_ARG_SRC, made_by.x},
                             {DNNL_ARG_WEIGHTS, made_by.weights},
                             {DNNL_ARG_BIAS, made_by.bias},
                             {DNNL_ARG_DST, made_by.y},
                             {DNNL_ARG_SCRATCHPAD, made_by.scratchpad}}};
        break;
      case ConvDirection::data:
        plan.plain = weights_layout(plan.geometry, dtype, planar);
        plan.convolution = {dnn_,
                            made_by.primitive,
                            {{DNNL_ARG_DIFF_DST, made_by.y},
                             {DNNL_ARG_WEIGHTS, made_by.weights},
                             {DNNL_ARG_DIFF_SRC, made_by.x},
                             {DNNL_ARG_SCRATCHPAD, made_by.scratchpad}}};
        break;
      case ConvDirection::weights:
        plan.plain = weights_layout(plan.geometry, DType::f32, planar);
        plan.convolution = {dnn_,
                            made_by.primitive,
                            {{DNNL_ARG_SRC, made_by.x},
                             {DNNL_ARG_DIFF_DST, made_by.y},
                             {DNNL_ARG_DIFF_WEIGHTS, made_by.weights},
                             {DNNL_ARG_SCRATCHPAD, made_by.scratchpad}}};
        plan.add_gradient = make_reorder(dnn_, plan.wanted, plan.plain, true);
        plan.scratch += line_bytes(plan.wanted.get_size());
        break;
    }
  }
  if (direction == ConvDirection::weights && with_bias)
    plan.scratch += ScratchCutter::bytes_for<double>(geometry.y.c * threads_);
  return *plans_.emplace(key, std::move(made)).first->second;
}

Convolutions::Plan& Convolutions::plan(const ConvForward& op) {
  return plan(ConvDirection::forward, {op.x.shape, op.y.shape, op.window}, op.x.dtype, !op.bias.empty());
}
Convolutions::Plan& Convolutions::plan(const ConvBackwardData& op) {
  return plan(ConvDirection::data, {op.dx.shape, op.dy.shape, op.window}, op.dx.dtype, false);
}
Convolutions::Plan& Convolutions::plan(const ConvBackwardWeights& op) {
  return plan(ConvDirection::weights, {op.x.shape, op.dy.shape, op.window}, op.x.dtype, !op.dbias.empty());
}

size_t Convolutions::scratch_bytes(const ConvForward& op) { return plan(op).scratch; }
size_t Convolutions::scratch_bytes(const ConvBackwardData& op) { return plan(op).scratch; }
size_t Convolutions::scratch_bytes(const ConvBackwardWeights& op) { return plan(op).scratch; }

void Convolutions::prepare(const ConvForward& op) {
  const ThreadCountScope scope(threads_);
  const Plan& p = plan(op);
  packed_.reserve(op.w.data, p.plain, p.wanted);
}
void Convolutions::prepare(const ConvBackwardData& op) {
  const ThreadCountScope scope(threads_);
  const Plan& p = plan(op);
  packed_.reserve(op.w.data, p.plain, p.wanted);
}
void Convolutions::prepare(const ConvBackwardWeights& op) { plan(op); }

const void* Convolutions::widened(const Tensor& tensor, DType dtype, ScratchCutter& scratch) const {
  if (tensor.dtype == dtype) return tensor.data;
  const Tensor wide(scratch.take<std::byte>(static_cast<int64_t>(bytes_as(tensor.shape, dtype))), dtype,
                    tensor.shape);
  cast(threads_, tensor, wide);
  return wide.data;
}

void Convolutions::run(const ConvForward& op, Scratch memory) {
  const ThreadCountScope scope(threads_);
  Plan& p = plan(op);
  ScratchCutter scratch(memory);
  void* scratchpad = scratch.take<std::byte>(static_cast<int64_t>(p.scratchpad));
  const void* weights = packed_.get(op.w.data, op.weights_version, p.plain, p.wanted);
  const void* x = widened(op.x, p.computed, scratch);
  Tensor y = op.y;
  if (p.stored != p.computed) {
    y.dtype = p.computed;
    y.data = scratch.take<std::byte>(static_cast<int64_t>(bytes_as(y.shape, p.computed)));
  }
  p.convolution.execute(dnn_, {x, weights, op.bias.data, y.data, scratchpad});
  if (p.stored != p.computed) cast(threads_, y, op.y);
}

void Convolutions::run(const ConvBackwardData& op, Scratch memory) {
  const ThreadCountScope scope(threads_);
  Plan& p = plan(op);
  ScratchCutter scratch(memory);
  void* scratchpad = scratch.take<std::byte>(static_cast<int64_t>(p.scratchpad));
  const void* weights = packed_.get(op.w.data, op.weights_version, p.plain, p.wanted);
  const void* dy = widened(op.dy, p.computed, scratch);
  Tensor dx = op.dx;
  if (p.stored != p.computed) {
    dx.dtype = p.computed;
    dx.data = scratch.take<std::byte>(static_cast<int64_t>(bytes_as(dx.shape, p.computed)));
  }
  p.convolution.execute(dnn_, {dy, weights, dx.data, scratchpad});
  if (p.stored != p.computed) cast(threads_, dx, op.dx);
}

void Convolutions::run(const ConvBackwardWeights& op, Scratch memory) {
  const ThreadCountScope scope(threads_);
  Plan& p = plan(op);
  ScratchCutter scratch(memory);
  if (op.dbias) add_bias_gradient(threads_, op.dy, op.dbias, scratch);
  if (p.own) {
    const auto bytes = static_cast<int64_t>(p.own->scratch_bytes());
    add_weight_gradient(*p.own, op.x, op.dy, op.dw.as<float>(),
                        {scratch.take<std::byte>(bytes), static_cast<size_t>(bytes)});
    return;
  }
  void* scratchpad = scratch.take<std::byte>(static_cast<int64_t>(p.scratchpad));
  void* gradient = scratch.take<std::byte>(static_cast<int64_t>(p.wanted.get_size()));
  const void *x = widened(op.x, p.computed, scratch), *dy = widened(op.dy, p.computed, scratch);
  p.convolution.execute(dnn_, {x, dy, gradient, scratchpad});
  p.add_gradient.execute(dnn_, {gradient, op.dw.data});
}

}  // namespace laban::cpu
