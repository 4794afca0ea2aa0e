// Convolutions in f32 and bf16: of the algorithms that can compute a geometry (cpu/kernels), the one that
// promises to be the quickest. Plans are cached by geometry, weights packed once per version.
#pragma once

#include <map>

#include "core/ops/conv.h"
#include "core/ops/conv_batch_norm.h"
#include "cpu/conv_kernel.h"
#include "cpu/kernels.h"
#include "cpu/packed_weights.h"

namespace laban::cpu {

/// Everything a CpuBackend keeps for its convolutions. A plan is made at the first sight of a geometry (in
/// the dry run) and only looked up afterwards. Which algorithm a plan takes follows from the geometry and the
/// instruction set, never from the number of threads: its results do not depend on that either.
class Convolutions {
 public:
  /// `native_bf16`: whether sums of bf16 may use the processor's own bf16 instructions.
  Convolutions(const Kernels& kernels, ThreadPool& pool, bool native_bf16);

  size_t scratch_bytes(const ConvForward& op) { return scratch_bytes(plan(op), op.weights_stay); }
  size_t scratch_bytes(const ConvBatchNorm& op);
  size_t scratch_bytes(const ConvBackwardData& op) { return scratch_bytes(plan(op), op.weights_stay); }
  size_t scratch_bytes(const ConvBackwardWeights& op);
  void prepare(const ConvForward& op) {
    if (op.weights_stay) packed_.reserve(op.w, plan(op));
  }
  void prepare(const ConvBatchNorm& op) { prepare(op.convolution()); }
  void prepare(const ConvBackwardData& op) {
    if (op.weights_stay) packed_.reserve(op.w, plan(op));
  }
  void prepare(const ConvBackwardWeights& op) { plan(op); }
  void run(const ConvForward& op, Scratch scratch);
  void run(const ConvBatchNorm& op, Scratch scratch);
  void run(const ConvBackwardData& op, Scratch scratch);
  void run(const ConvBackwardWeights& op, Scratch scratch);

  void distrust_packed_weights() { packed_.distrust(); }

 private:
  void forward(const ConvForward& op, const ConvTransform::Norm* norm, Scratch scratch);
  size_t scratch_bytes(const ConvTransform& kernel, bool weights_stay) const;
  /// With weights packed in `scratch` or, where they stay, kept; `run.packed` is filled in.
  template <class Op>
  void run(const Op& op, const ConvTransform& kernel, ConvTransform::Run run, Scratch scratch);

  /// Everything that distinguishes two plans: geometry, direction, dtype.
  using Key = std::array<int64_t, 21>;
  static Key key_of(ConvDirection direction, const ConvGeometry& geometry, DType dtype);

  const ConvTransform& plan(const ConvForward& op);
  const ConvTransform& plan(const ConvBackwardData& op);
  const ConvGradient& plan(const ConvBackwardWeights& op);
  const ConvTransform& transform(ConvDirection direction, const ConvGeometry& geometry, DType dtype);

  const Kernels& kernels_;
  ThreadPool& pool_;
  bool native_bf16_;
  PackedWeights packed_;
  std::map<Key, std::unique_ptr<ConvTransform>> transforms_;
  std::map<Key, std::unique_ptr<ConvGradient>> gradients_;
};

}  // namespace laban::cpu
