// A backend that computes nothing and notes every convolution that it is asked to prepare: what a network, or
// the op case table, would want of a GPU.
#pragma once

#include <set>
#include <tuple>
#include <vector>

#include "core/backend_decorator.h"
#include "core/conv_geometry.h"
#include "reference/reference_backend.h"

namespace laban::test {

struct CollectedConv {
  enum class Pass { forward, data, weights } pass;
  ConvGeometry geometry;
  bool accumulate = false;  // data: dx += the gradient
  int64_t own_channels = 0;
  friend bool operator<(const CollectedConv& a, const CollectedConv& b) {
    return std::tuple(a.pass, a.geometry.key(), a.accumulate, a.own_channels) <
           std::tuple(b.pass, b.geometry.key(), b.accumulate, b.own_channels);
  }
};

class ConvCollector : public BackendDecorator {
 public:
  /// Channels are padded as on a GPU where `padded` is set.
  explicit ConvCollector(bool padded) : BackendDecorator(reference_), padded_(padded) {}

  bool supports(DType compute) const override { return compute == DType::f32 || compute == DType::bf16; }
  int64_t channel_multiple(DType compute) const override {
    if (!padded_) return 1;
    return compute == DType::bf16 ? 8 : 4;
  }

  using BackendDecorator::run;
  void run(const ConvForward&, Scratch) override {}
  void run(const ConvBatchNorm&, Scratch) override {}
  void run(const ConvBackwardData&, Scratch) override {}
  void run(const ConvBackwardWeights&, Scratch) override {}

  const std::set<CollectedConv>& convolutions() const { return convolutions_; }

 protected:
  using BackendDecorator::prepare_for;
  using BackendDecorator::scratch_for;
  void prepare_for(const ConvForward& op) override {
    note(CollectedConv::Pass::forward, op.x.shape, op.y.shape, op.window, false, op.own_channels);
  }
  void prepare_for(const ConvBatchNorm& op) override { prepare_for(op.convolution()); }
  void prepare_for(const ConvBackwardData& op) override {
    note(CollectedConv::Pass::data, op.dx.shape, op.dy.shape, op.window, op.accumulate);
  }
  void prepare_for(const ConvBackwardWeights& op) override {
    note(CollectedConv::Pass::weights, op.x.shape, op.dy.shape, op.window, false, op.own_channels);
  }

 private:
  void note(CollectedConv::Pass pass, const Shape& x, const Shape& y, const Window& window, bool accumulate,
            int64_t own_channels = 0) {
    convolutions_.insert({pass, {x, y, window}, accumulate, own_channels});
  }

  ReferenceBackend reference_;
  bool padded_;
  std::set<CollectedConv> convolutions_;
};

}  // namespace laban::test
