// Convolutions over oneDNN, in f32 and bf16: plans cached by geometry, weights packed once per version.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "core/backend.h"
#include "cpu/onednn.h"
#include "cpu/packed_weights.h"
#include "cpu/weight_gradient.h"

namespace laban::cpu {

/// Everything a CpuBackend keeps for its convolutions. A plan is made at the first sight of a geometry (in
/// the dry run) and only looked up afterwards.
class Convolutions {
 public:
  /// `native_bf16`: give bf16 to oneDNN as it is; else widen to f32, compute, and round the result.
  Convolutions(int threads, bool native_bf16) : threads_(threads), native_bf16_(native_bf16) {}

  size_t scratch_bytes(const ConvForward& op);
  size_t scratch_bytes(const ConvBackwardData& op);
  size_t scratch_bytes(const ConvBackwardWeights& op);
  void prepare(const ConvForward& op);
  void prepare(const ConvBackwardData& op);
  void prepare(const ConvBackwardWeights& op);
  void run(const ConvForward& op, Scratch scratch);
  void run(const ConvBackwardData& op, Scratch scratch);
  void run(const ConvBackwardWeights& op, Scratch scratch);

  void distrust_packed_weights() { packed_.distrust(); }

 private:
  struct Plan;
  Plan& plan(ConvDirection direction, const ConvGeometry& geometry, DType dtype, bool with_bias);
  Plan& plan(const ConvForward& op);
  Plan& plan(const ConvBackwardData& op);
  Plan& plan(const ConvBackwardWeights& op);
  /// The tensor as a primitive of type `dtype` wants it: itself, or widened into the scratch.
  const void* widened(const Tensor& tensor, DType dtype, class ScratchCutter& scratch) const;

  int threads_;
  bool native_bf16_;
  OneDnn dnn_;
  PackedWeights packed_{dnn_};
  std::map<std::array<int64_t, 22>, std::shared_ptr<Plan>> plans_;
};

}  // namespace laban::cpu
