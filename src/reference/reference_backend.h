// ReferenceBackend: every op of core/backend.h as plain loops on host memory.
//
// It is the textbook (read the op here before reading a fast version of it) and the oracle (every other
// backend is tested against it, in f64). Values are stored as f64, f32 or bf16, converted to double on load,
// accumulated in double whatever the storage, and rounded once on store. One thread, no heap allocation in
// run(): per-channel accumulators live in the op's scratch. The formulas themselves are in src/math; here are
// only the loops around them.
//
// A backend for host memory may derive from this one and override the ops it does faster. It then needs
// `using ReferenceBackend::run;`, and where it overrides run(Op) it must override scratch_for(Op) too, if
// there is one.
#pragma once

#include "core/backend.h"

namespace laban {

class ReferenceBackend : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  Device device() const override { return Device::cpu; }
  bool supports(DType compute) const override {
    return compute == DType::f64 || compute == DType::f32 || compute == DType::bf16;
  }

  /// Uninitialized host memory, 64-byte aligned.
  std::unique_ptr<Memory> allocate(size_t bytes) override;
  std::unique_ptr<Memory> allocate_staging(size_t bytes) override {
    return ReferenceBackend::allocate(bytes);
  }
  void upload(const Tensor& to, const void* from) override;
  void download(void* to, const Tensor& from) override;

  void run(const ConvForward& op, Scratch scratch) override;
  void run(const ConvBackwardData& op, Scratch scratch) override;
  void run(const ConvBackwardWeights& op, Scratch scratch) override;
  void run(const BatchNormTrain& op, Scratch scratch) override;
  void run(const BatchNormInfer& op, Scratch scratch) override;
  void run(const BatchNormBackward& op, Scratch scratch) override;
  void run(const InverseStd& op, Scratch scratch) override;
  void run(const ReluForward& op, Scratch scratch) override;
  void run(const ReluBackward& op, Scratch scratch) override;
  void run(const Accumulate& op, Scratch scratch) override;
  void run(const Cast& op, Scratch scratch) override;
  void run(const MaxPoolForward& op, Scratch scratch) override;
  void run(const MaxPoolBackward& op, Scratch scratch) override;
  void run(const GlobalAvgPoolForward& op, Scratch scratch) override;
  void run(const GlobalAvgPoolBackward& op, Scratch scratch) override;
  void run(const Dropout& op, Scratch scratch) override;
  void run(const SubsampleForward& op, Scratch scratch) override;
  void run(const SubsampleBackward& op, Scratch scratch) override;
  void run(const ClipsFromFrames& op, Scratch scratch) override;
  void run(const MixClips& op, Scratch scratch) override;
  void run(const LinearForward& op, Scratch scratch) override;
  void run(const LinearBackwardData& op, Scratch scratch) override;
  void run(const LinearBackwardWeights& op, Scratch scratch) override;
  void run(const SoftmaxCrossEntropy& op, Scratch scratch) override;
  void run(const Softmax& op, Scratch scratch) override;
  void run(const SgdStep& op, Scratch scratch) override;
  void run(const AdamStep& op, Scratch scratch) override;
  void run(const MovingAverage& op, Scratch scratch) override;
  void run(const SumOfSquares& op, Scratch scratch) override;
  void run(const SetZero& op, Scratch scratch) override;

 protected:
  using Backend::scratch_for;
  size_t scratch_for(const ConvBackwardData& op) override;
  size_t scratch_for(const ConvBackwardWeights& op) override;
  size_t scratch_for(const BatchNormTrain& op) override;
  size_t scratch_for(const BatchNormInfer& op) override;
  size_t scratch_for(const BatchNormBackward& op) override;
  size_t scratch_for(const MaxPoolBackward& op) override;
  size_t scratch_for(const GlobalAvgPoolForward& op) override;
};

}  // namespace laban
