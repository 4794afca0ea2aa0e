// Convolutions in f32 and bf16, each by the kernel that suits it: Winograd's (winograd.h), our own for the
// gradient of the weights (weight_gradient.h), oneDNN's for everything else. Plans are cached by geometry,
// weights packed once per version.
#pragma once

#include <map>
#include <memory>

#include "core/backend.h"
#include "cpu/onednn.h"
#include "cpu/packed_weights.h"

namespace laban::cpu {

/// Everything a CpuBackend keeps for its convolutions. A plan is made at the first sight of a geometry (in
/// the dry run) and only looked up afterwards.
class Convolutions {
 public:
  /// `native_bf16`: give bf16 to oneDNN as it is; else compute in f32 and round the result.
  Convolutions(int threads, bool native_bf16);
  ~Convolutions();

  size_t scratch_bytes(const ConvForward& op);
  size_t scratch_bytes(const ConvBackwardData& op);
  size_t scratch_bytes(const ConvBackwardWeights& op);
  void prepare(const ConvForward& op);
  void prepare(const ConvBackwardData& op);
  void prepare(const ConvBackwardWeights& op);
  void run(const ConvForward& op, Scratch scratch);
  void run(const ConvBackwardData& op, Scratch scratch);
  void run(const ConvBackwardWeights& op, Scratch scratch);

  /// The threads that oneDNN computes with: fewer than asked for where OpenMP grants fewer.
  int team() const { return team_; }
  void distrust_packed_weights() { packed_.distrust(); }

 private:
  class TransformPlan;
  class GradientPlan;
  /// Everything that distinguishes two plans: geometry, direction, dtype, bias.
  using Key = std::array<int64_t, 22>;
  static Key key_of(ConvDirection direction, const ConvGeometry& geometry, DType dtype, bool with_bias);

  TransformPlan& plan(const ConvForward& op);
  TransformPlan& plan(const ConvBackwardData& op);
  GradientPlan& plan(const ConvBackwardWeights& op);
  TransformPlan& transform_plan(ConvDirection direction, const ConvGeometry& geometry, DType dtype,
                                bool with_bias);

  /// The weights as the plan wants them, packed where they are not yet.
  template <class Op>
  const void* weights_for(const TransformPlan& plan, const Op& op);

  int threads_;  // asked for: our own kernels cut their work into as many parts, whoever computes them
  int team_;     // granted: what oneDNN's primitives are made for
  bool native_bf16_;
  OneDnn dnn_;
  PackedWeights packed_;
  std::map<Key, std::unique_ptr<TransformPlan>> transforms_;
  std::map<Key, std::unique_ptr<GradientPlan>> gradients_;
};

}  // namespace laban::cpu
