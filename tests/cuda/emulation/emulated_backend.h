// The CUDA backend's own kernels as a backend on host memory: each op runs the host function of
// cuda/kernels/kernels.h, whose kernels the emulation runs. Convolutions and linear layers, which on a GPU
// are cuDNN's and cuBLAS's, stay the reference's.
#pragma once

#include "cuda/kernels/kernels.h"
#include "reference/reference_backend.h"

namespace laban::emulation {

class EmulatedBackend : public ReferenceBackend {
 public:
  std::string_view name() const override { return "CUDA kernels, emulated"; }
  bool supports(DType compute) const override { return compute == DType::f32 || compute == DType::bf16; }

  using ReferenceBackend::run;
  void run(const BatchNormTrain& op, Scratch scratch) override { cuda::run(op, scratch, nullptr); }
  void run(const BatchNormInfer& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const BatchNormBackward& op, Scratch scratch) override { cuda::run(op, scratch, nullptr); }
  void run(const InverseStd& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const ReluForward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const ReluBackward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const Accumulate& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const Cast& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const MaxPoolForward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const MaxPoolBackward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const GlobalAvgPoolForward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const GlobalAvgPoolBackward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const Dropout& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const SubsampleForward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const SubsampleBackward& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const ClipsFromFrames& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const MixClips& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const SoftmaxCrossEntropy& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const Softmax& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const SgdStep& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const AdamStep& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const MovingAverage& op, Scratch) override { cuda::run(op, nullptr); }
  void run(const SumOfSquares& op, Scratch scratch) override { cuda::run(op, scratch, nullptr); }
  void run(const SetZero& op, Scratch) override { cuda::run(op, nullptr); }

 protected:
  using ReferenceBackend::scratch_for;
  size_t scratch_for(const BatchNormTrain& op) override { return cuda::scratch_bytes(op); }
  size_t scratch_for(const BatchNormInfer&) override { return 0; }
  size_t scratch_for(const BatchNormBackward& op) override { return cuda::scratch_bytes(op); }
  size_t scratch_for(const MaxPoolBackward&) override { return 0; }
  size_t scratch_for(const GlobalAvgPoolForward&) override { return 0; }
  size_t scratch_for(const SumOfSquares& op) override { return cuda::scratch_bytes(op); }
};

}  // namespace laban::emulation
