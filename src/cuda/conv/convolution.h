// Convolutions on the GPU: cuDNN plans and, where a convolution is a matrix product, cuBLAS.
#pragma once

#include <set>

#include "cuda/conv/conv_plan.h"
#include "cuda/libraries.h"

namespace laban::cuda {

/// Finds and keeps the plan of each convolution, and runs it.
///
/// Gradients of weights are accumulated in f32. In f32 and TF32, and for 1x1x1 kernels in bf16, the library
/// itself adds to f32. For other kernels in bf16 there are two ways:
///   rounded: cuDNN's own kernels round the gradient of the batch to bf16; a kernel of ours adds it to dw
///   exact:   a kernel that cuDNN compiles at run time adds to dw before anything is rounded
/// Rounded costs a relative 2^-9 a batch, as in PyTorch's autocast, and no compilation.
///
/// In bf16 a stem is unfolded (unfolded.h) where that saves half of the products.
class Convolutions {
 public:
  struct Settings {
    bool tf32 = false;           // f32 may be rounded to TF32 before it is multiplied
    bool deterministic = true;   // the same bits in every run
    bool exact_weights = false;  // bf16: exact wherever cuDNN can (channels in multiples of 8)
  };
  Convolutions(ConvPlans plans, Settings settings) : plans_(std::move(plans)), settings_(settings) {}

  /// Finds the plan; needs no GPU, unless plans are timed. Throws Error where cuDNN has none.
  void prepare(const ConvForward& op) { scratch_bytes(op); }
  void prepare(const ConvBackwardData& op) { scratch_bytes(op); }
  void prepare(const ConvBackwardWeights& op) { scratch_bytes(op); }
  size_t scratch_bytes(const ConvForward& op);
  size_t scratch_bytes(const ConvBackwardData& op);
  size_t scratch_bytes(const ConvBackwardWeights& op);

  void run(const ConvForward& op, Scratch scratch, Libraries& libraries, Stream stream);
  void run(const ConvBackwardData& op, Scratch scratch, Libraries& libraries, Stream stream);
  void run(const ConvBackwardWeights& op, Scratch scratch, Libraries& libraries, Stream stream);

  /// Whether the gradient of the batch alone is in bf16 before it is added: the rounded way above, or a dx
  /// that cuDNN cannot add to.
  bool rounds_before_adding(const ConvBackwardWeights& op);
  bool rounds_before_adding(const ConvBackwardData& op);

  const ConvPlans& plans() const { return plans_; }
  /// A sentence on gradients that are rounded though exact ones were asked for; empty: none so far.
  std::string note() const;

 private:
  struct DataWay {
    ConvProblem problem;
    const ConvPlan* plan;
    size_t alone_bytes;  // of a dx that is added afterwards; 0: none
  };
  struct WeightsWay {
    ConvProblem problem;
    const ConvPlan* plan;
    size_t rounded_bytes;  // of the bf16 gradient; 0: exact
  };
  ConvProblem problem(ConvPass pass, const Tensor& x, const Tensor& y, const Window& window) const;
  DataWay data_way(const ConvBackwardData& op);
  WeightsWay weights_way(const ConvBackwardWeights& op);

  ConvPlans plans_;
  Settings settings_;
  std::set<ConvProblem> rounded_all_the_same_;  // for which there is no exact plan
};

}  // namespace laban::cuda
