#include "cpu/convolution.h"

#include <optional>

#include "cpu/elements.h"
#include "cpu/parallel.h"
#include "cpu/weight_gradient.h"
#include "cpu/winograd.h"

namespace laban::cpu {
namespace {

/// to = from, or to += from.
void cast(int threads, const Tensor& from, const Tensor& to, bool accumulate = false) {
  with_type(from.dtype, [&]<class From>() {
    with_type(to.dtype, [&]<class To>() {
      const From* source = from.as<From>();
      To* target = to.as<To>();
      for_each_range(threads, from.count(), [&](Range range) {
        if (accumulate) {
#pragma omp simd
          for (int64_t i = range.begin; i < range.end; ++i)
            target[i] = narrow<To>(widen(target[i]) + widen(source[i]));
        } else {
#pragma omp simd
          for (int64_t i = range.begin; i < range.end; ++i) target[i] = narrow<To>(widen(source[i]));
        }
      });
    });
  });
}

size_t line_bytes(size_t bytes) { return ScratchCutter::bytes_for({bytes}); }
size_t bytes_as(const Shape& shape, DType dtype) {
  return line_bytes(static_cast<size_t>(shape.count()) * size_of(dtype));
}
Scratch take_scratch(ScratchCutter& scratch, size_t bytes) { return {scratch.take(bytes), bytes}; }

/// A tensor of another type in the scratch, not yet filled.
Tensor take_as(ScratchCutter& scratch, const Tensor& like, DType dtype) {
  return {scratch.take(bytes_as(like.shape, dtype)), dtype, like.shape};
}
/// The tensor as a primitive of type `dtype` wants it: itself, or converted into the scratch.
Tensor converted(int threads, ScratchCutter& scratch, const Tensor& tensor, DType dtype) {
  if (tensor.dtype == dtype) return tensor;
  const Tensor copy = take_as(scratch, tensor, dtype);
  cast(threads, tensor, copy);
  return copy;
}

/// dbias += column sums of dy. Sums per thread in double, added up in the order of the threads.
void add_bias_gradient(int threads, const Tensor& dy, const Tensor& dbias, ScratchCutter& scratch) {
  const int64_t channels = dy.shape.c, pixels = dy.shape.pixels();
  double* sums = scratch.take_array<double>(channels * threads);
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

/// Where the kernel is longer than the input, oneDNN 3.7's bf16 gradient of the weights is wrong (its 2.6 is
/// right).
bool kernel_exceeds_input(const ConvGeometry& g) {
  return g.window.kernel[0] > g.x.t || g.window.kernel[1] > g.x.h || g.window.kernel[2] > g.x.w;
}

/// oneDNN 2.6's bf16 gradient of the data of a pointwise convolution adds up channels in pairs. Where their
/// number is odd, the last one is paired with whatever follows it in memory, for many numbers of pixels.
bool pairs_run_over(ConvDirection direction, const ConvGeometry& g) {
  return direction == ConvDirection::data && g.window.kernel == std::array<int64_t, 3>{1, 1, 1} &&
         g.y.c % 2 != 0;
}

/// Weights as an oneDNN primitive wants them.
class OneDnnWeights : public WeightLayout {
 public:
  OneDnnWeights(const OneDnn& dnn, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted)
      : dnn_(dnn), plain_(plain), wanted_(wanted), reorder_(make_reorder(dnn, plain, wanted, false)) {}

  size_t bytes() const override { return wanted_.get_size(); }
  void pack(const void* weights, void* packed) override { reorder_.execute(dnn_, {weights, packed}); }
  bool same_as(const WeightLayout& other) const override {
    const auto* o = dynamic_cast<const OneDnnWeights*>(&other);
    return o && o->plain_ == plain_ && o->wanted_ == wanted_;
  }

 private:
  const OneDnn& dnn_;
  dnnl::memory::desc plain_, wanted_;
  Execution reorder_;
};

/// Weights transformed for Winograd's convolution.
class WinogradWeights : public WeightLayout {
 public:
  WinogradWeights(const WinogradPlan& plan, ConvDirection direction, DType dtype)
      : plan_(plan), direction_(direction), dtype_(dtype) {}

  size_t bytes() const override { return static_cast<size_t>(winograd_weights_count(plan_)) * sizeof(float); }
  void pack(const void* weights, void* packed) override {
    transform_weights(plan_, direction_, weights, dtype_, static_cast<float*>(packed));
  }
  bool same_as(const WeightLayout& other) const override {
    const auto* o = dynamic_cast<const WinogradWeights*>(&other);
    return o && o->direction_ == direction_ && o->dtype_ == dtype_ && o->plan_.in.c == plan_.in.c &&
           o->plan_.out.c == plan_.out.c && o->plan_.frames == plan_.frames;
  }

 private:
  WinogradPlan plan_;
  ConvDirection direction_;
  DType dtype_;
};

}  // namespace

/// What a convolution that maps activations to activations needs: x to y, or dy to dx.
class Convolutions::TransformPlan {
 public:
  TransformPlan(const OneDnn& dnn, ConvDirection direction, const ConvGeometry& geometry, DType stored,
                DType computed, bool with_bias, int threads)
      : threads_(threads), stored_(stored), computed_(computed) {
    if (computed == DType::f32 && suits_winograd(direction, geometry)) {
      winograd_ = plan_winograd(direction, geometry, threads);
      layout_ = std::make_shared<WinogradWeights>(*winograd_, direction, stored);
      scratch_ = winograd_scratch_bytes(*winograd_);
      return;
    }
    const bool forward = direction == ConvDirection::forward;
    const ConvPrimitive made = make_convolution(dnn, direction, geometry, computed, with_bias);
    primitive_ = {dnn,
                  made.primitive,
                  {{forward ? DNNL_ARG_SRC : DNNL_ARG_DIFF_DST, forward ? made.x : made.y},
                   {DNNL_ARG_WEIGHTS, made.weights},
                   {DNNL_ARG_BIAS, made.bias},
                   {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_SRC, forward ? made.y : made.x},
                   {DNNL_ARG_SCRATCHPAD, made.scratchpad}}};
    const auto plain = weights_layout(geometry, stored, is_planar(geometry));
    if (plain != made.weights) layout_ = std::make_shared<OneDnnWeights>(dnn, plain, made.weights);
    scratchpad_ = made.scratchpad.get_size();
    scratch_ = line_bytes(scratchpad_);
    if (stored != computed) scratch_ += bytes_as(geometry.x, computed) + bytes_as(geometry.y, computed);
  }

  /// `accumulated`: the result's bytes where run() will be asked to add it; else 0.
  size_t scratch_bytes(size_t accumulated) const {
    const bool in_place = winograd_ || stored_ != computed_;
    return scratch_ + (in_place ? 0 : line_bytes(accumulated));
  }
  /// Null where the weights serve as they are.
  const std::shared_ptr<WeightLayout>& layout() const { return layout_; }

  /// out = the result, or out += it: oneDNN does not add gradients of data.
  void run(const OneDnn& dnn, const Tensor& in, const void* packed, const Tensor& bias, const Tensor& out,
           bool accumulate, Scratch memory) {
    if (winograd_) {
      run_winograd(*winograd_, in, static_cast<const float*>(packed),
                   {.out = out, .bias = bias.as_or_null<float>(), .accumulate = accumulate}, memory);
      return;
    }
    ScratchCutter scratch(memory);
    void* scratchpad = scratch.take(scratchpad_);
    const Tensor from = converted(threads_, scratch, in, computed_);
    const bool direct = stored_ == computed_ && !accumulate;
    const Tensor to = direct ? out : take_as(scratch, out, computed_);
    primitive_.execute(dnn, {from.data, packed, bias.data, to.data, scratchpad});
    if (!direct) cast(threads_, to, out, accumulate);
  }

 private:
  int threads_;
  DType stored_, computed_;
  std::optional<WinogradPlan> winograd_;
  Execution primitive_;
  size_t scratchpad_ = 0, scratch_ = 0;
  std::shared_ptr<WeightLayout> layout_;
};

/// What the gradient of the weights needs.
class Convolutions::GradientPlan {
 public:
  GradientPlan(const OneDnn& dnn, const ConvGeometry& geometry, DType stored, DType computed, bool with_bias,
               int threads)
      : threads_(threads), computed_(computed) {
    if (with_bias) scratch_ = ScratchCutter::bytes_for({bytes_of<double>(geometry.y.c * threads)});
    if (computed == DType::f32 && suits_winograd(ConvDirection::weights, geometry)) {
      winograd_ = plan_winograd(ConvDirection::weights, geometry, threads);
      scratch_ += line_bytes(winograd_gradient_scratch_bytes(*winograd_));
      return;
    }
    if (computed == DType::f32 && suits_weight_gradient(geometry)) {
      own_ = plan_weight_gradient(geometry, threads);
      scratch_ += line_bytes(own_->scratch_bytes());
      return;
    }
    const ConvPrimitive made = make_convolution(dnn, ConvDirection::weights, geometry, computed, false);
    primitive_ = {dnn,
                  made.primitive,
                  {{DNNL_ARG_SRC, made.x},
                   {DNNL_ARG_DIFF_DST, made.y},
                   {DNNL_ARG_DIFF_WEIGHTS, made.weights},
                   {DNNL_ARG_SCRATCHPAD, made.scratchpad}}};
    const auto plain = weights_layout(geometry, DType::f32, is_planar(geometry));
    add_ = make_reorder(dnn, made.weights, plain, true);
    scratchpad_ = made.scratchpad.get_size();
    gradient_ = made.weights.get_size();
    scratch_ += line_bytes(scratchpad_) + line_bytes(gradient_);
    if (stored != computed) scratch_ += bytes_as(geometry.x, computed) + bytes_as(geometry.y, computed);
  }

  size_t scratch_bytes() const { return scratch_; }

  void run(const OneDnn& dnn, const ConvBackwardWeights& op, Scratch memory) {
    ScratchCutter scratch(memory);
    if (op.dbias) add_bias_gradient(threads_, op.dy, op.dbias, scratch);
    if (winograd_)
      return add_winograd_gradient(*winograd_, op.x, op.dy, op.dw.as<float>(),
                                   take_scratch(scratch, winograd_gradient_scratch_bytes(*winograd_)));
    if (own_)
      return add_weight_gradient(*own_, op.x, op.dy, op.dw.as<float>(),
                                 take_scratch(scratch, own_->scratch_bytes()));
    void* scratchpad = scratch.take(scratchpad_);
    void* gradient = scratch.take(gradient_);
    const Tensor x = converted(threads_, scratch, op.x, computed_);
    const Tensor dy = converted(threads_, scratch, op.dy, computed_);
    primitive_.execute(dnn, {x.data, dy.data, gradient, scratchpad});
    add_.execute(dnn, {gradient, op.dw.data});
  }

 private:
  int threads_;
  DType computed_;
  std::optional<WinogradPlan> winograd_;
  std::optional<WeightGradientPlan> own_;
  Execution primitive_, add_;
  size_t scratchpad_ = 0, gradient_ = 0, scratch_ = 0;
};

Convolutions::Convolutions(int threads, bool native_bf16)
    : threads_(threads), team_(granted_threads(threads)), native_bf16_(native_bf16) {}
Convolutions::~Convolutions() = default;

Convolutions::Key Convolutions::key_of(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                                       bool with_bias) {
  Key key{};
  const auto numbers = geometry.key();
  std::copy(numbers.begin(), numbers.end(), key.begin());
  key[19] = static_cast<int64_t>(direction);
  key[20] = static_cast<int64_t>(dtype);
  key[21] = with_bias;
  return key;
}

Convolutions::TransformPlan& Convolutions::transform_plan(ConvDirection direction,
                                                          const ConvGeometry& geometry, DType dtype,
                                                          bool with_bias) {
  auto& plan = transforms_[key_of(direction, geometry, dtype, with_bias)];
  if (!plan)
    with_team(team_, [&] {
      const bool native = native_bf16_ && !pairs_run_over(direction, geometry);
      const DType computed = native ? dtype : DType::f32;
      plan = std::make_unique<TransformPlan>(dnn_, direction, folded(geometry), dtype, computed, with_bias,
                                             threads_);
    });
  return *plan;
}
Convolutions::TransformPlan& Convolutions::plan(const ConvForward& op) {
  return transform_plan(ConvDirection::forward, {op.x.shape, op.y.shape, op.window}, op.x.dtype,
                        !op.bias.empty());
}
Convolutions::TransformPlan& Convolutions::plan(const ConvBackwardData& op) {
  return transform_plan(ConvDirection::data, {op.dx.shape, op.dy.shape, op.window}, op.dx.dtype, false);
}
Convolutions::GradientPlan& Convolutions::plan(const ConvBackwardWeights& op) {
  const ConvGeometry geometry{op.x.shape, op.dy.shape, op.window};
  const bool with_bias = !op.dbias.empty();
  auto& plan = gradients_[key_of(ConvDirection::weights, geometry, op.x.dtype, with_bias)];
  if (!plan)
    with_team(team_, [&] {
      const bool native = native_bf16_ && !kernel_exceeds_input(geometry);
      const DType computed = native ? op.x.dtype : DType::f32;
      plan =
          std::make_unique<GradientPlan>(dnn_, folded(geometry), op.x.dtype, computed, with_bias, threads_);
    });
  return *plan;
}

size_t Convolutions::scratch_bytes(const ConvForward& op) { return plan(op).scratch_bytes(0); }
size_t Convolutions::scratch_bytes(const ConvBackwardData& op) {
  return plan(op).scratch_bytes(op.accumulate ? op.dx.bytes() : 0);
}
size_t Convolutions::scratch_bytes(const ConvBackwardWeights& op) { return plan(op).scratch_bytes(); }

void Convolutions::prepare(const ConvForward& op) {
  if (const auto& layout = plan(op).layout()) packed_.reserve(op.w.data, layout);
}
void Convolutions::prepare(const ConvBackwardData& op) {
  if (const auto& layout = plan(op).layout()) packed_.reserve(op.w.data, layout);
}
void Convolutions::prepare(const ConvBackwardWeights& op) { plan(op); }

void Convolutions::run(const ConvForward& op, Scratch scratch) {
  TransformPlan& p = plan(op);
  with_team(team_, [&] { p.run(dnn_, op.x, weights_for(p, op), op.bias, op.y, false, scratch); });
}
void Convolutions::run(const ConvBackwardData& op, Scratch scratch) {
  TransformPlan& p = plan(op);
  with_team(team_, [&] { p.run(dnn_, op.dy, weights_for(p, op), {}, op.dx, op.accumulate, scratch); });
}
void Convolutions::run(const ConvBackwardWeights& op, Scratch scratch) {
  GradientPlan& p = plan(op);
  with_team(team_, [&] { p.run(dnn_, op, scratch); });
}

template <class Op>
const void* Convolutions::weights_for(const TransformPlan& plan, const Op& op) {
  return plan.layout() ? packed_.get(op.w.data, op.weights_version, plan.layout()) : op.w.data;
}

}  // namespace laban::cpu
