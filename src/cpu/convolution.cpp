#include "cpu/convolution.h"

#include <algorithm>

#include "cpu/elements.h"
#include "math/batch_norm.h"

namespace laban::cpu {
namespace {

/// The one of least cost.
template <class Kernel>
std::unique_ptr<Kernel> cheapest(std::vector<std::unique_ptr<Kernel>> kernels) {
  return std::move(*std::min_element(kernels.begin(), kernels.end(),
                                     [](const auto& a, const auto& b) { return a->cost() < b->cost(); }));
}

}  // namespace

Convolutions::Convolutions(const Kernels& kernels, ThreadPool& pool, bool native_bf16)
    : kernels_(kernels), pool_(pool), native_bf16_(native_bf16) {}

Convolutions::Key Convolutions::key_of(ConvDirection direction, const ConvGeometry& geometry, DType dtype) {
  Key key{};
  const auto numbers = geometry.key();
  std::copy(numbers.begin(), numbers.end(), key.begin());
  key[19] = static_cast<int64_t>(direction);
  key[20] = static_cast<int64_t>(dtype);
  return key;
}

const ConvTransform& Convolutions::transform(ConvDirection direction, const ConvGeometry& geometry,
                                             DType dtype) {
  auto& plan = transforms_[key_of(direction, geometry, dtype)];
  if (!plan) plan = cheapest(kernels_.conv_transforms(direction, folded(geometry), dtype, native_bf16_));
  return *plan;
}
const ConvTransform& Convolutions::plan(const ConvForward& op) {
  return transform(ConvDirection::forward, {op.x.shape, op.y.shape, op.window}, op.x.dtype);
}
const ConvTransform& Convolutions::plan(const ConvBackwardData& op) {
  return transform(ConvDirection::data, {op.dx.shape, op.dy.shape, op.window}, op.dx.dtype);
}
const ConvGradient& Convolutions::plan(const ConvBackwardWeights& op) {
  const ConvGeometry geometry{op.x.shape, op.dy.shape, op.window};
  auto& plan = gradients_[key_of(ConvDirection::weights, geometry, op.x.dtype)];
  if (!plan) plan = cheapest(kernels_.conv_gradients(folded(geometry), op.x.dtype));
  return *plan;
}

size_t Convolutions::scratch_bytes(const ConvBackwardWeights& op) {
  return std::max(plan(op).scratch_bytes(pool_.threads()),
                  op.dbias ? kernels_.bias_gradient_scratch(op.dy) : 0);
}

size_t Convolutions::scratch_bytes(const ConvBatchNorm& op) {
  return ScratchCutter::bytes_for({bytes_of<float>(op.y.shape.c), scratch_bytes(op.convolution())});
}

size_t Convolutions::scratch_bytes(const ConvTransform& kernel, bool weights_stay) const {
  return ScratchCutter::bytes_for(
      {weights_stay ? 0 : kernel.packed_bytes(), kernel.scratch_bytes(pool_.threads())});
}

template <class Op>
void Convolutions::run(const Op& op, const ConvTransform& kernel, ConvTransform::Run run, Scratch memory) {
  ScratchCutter scratch(memory);
  if (op.weights_stay) {
    run.packed = packed_.get(op.w, op.weights_version, kernel, pool_);
  } else {
    void* packed = scratch.take(kernel.packed_bytes());
    kernel.pack(op.w.data, op.w.dtype, packed, pool_);
    run.packed = packed;
  }
  const size_t bytes = kernel.scratch_bytes(pool_.threads());
  kernel.run(run, {scratch.take(bytes), bytes}, pool_);
}

void Convolutions::forward(const ConvForward& op, const ConvTransform::Norm* norm, Scratch scratch) {
  run(op, plan(op),
      {.in = op.x.data,
       .packed = nullptr,
       .bias = op.bias.as_or_null<float>(),
       .out = op.y.data,
       .accumulate = false,
       .norm = norm},
      scratch);
}
void Convolutions::run(const ConvForward& op, Scratch scratch) { forward(op, nullptr, scratch); }
void Convolutions::run(const ConvBatchNorm& op, Scratch memory) {
  ScratchCutter scratch(memory);
  const int64_t channels = op.y.shape.c;
  float* scale = scratch.take_array<float>(channels);
  const float *gamma = op.gamma.as<float>(), *variance = op.running_var.as<float>();
  for (int64_t c = 0; c < channels; ++c)
    scale[c] = static_cast<float>(gamma[c] * inverse_std<double>(variance[c], op.eps));
  const ConvTransform::Norm norm{.mean = op.running_mean.as<float>(),
                                 .scale = scale,
                                 .beta = op.beta.as<float>(),
                                 .residual = op.residual.data,
                                 .relu = op.relu};
  const ConvForward convolution = op.convolution();
  const size_t bytes = scratch_bytes(convolution);
  forward(convolution, &norm, {scratch.take(bytes), bytes});
}
void Convolutions::run(const ConvBackwardData& op, Scratch scratch) {
  run(op, plan(op),
      {.in = op.dy.data,
       .packed = nullptr,
       .bias = nullptr,
       .out = op.dx.data,
       .accumulate = op.accumulate,
       .norm = nullptr},
      scratch);
}
void Convolutions::run(const ConvBackwardWeights& op, Scratch scratch) {
  if (op.dbias) kernels_.add_bias_gradient(op.dy, op.dbias, scratch, pool_);
  plan(op).run(op.x.data, op.dy.data, op.dw.as<float>(), scratch, pool_);
}

}  // namespace laban::cpu
