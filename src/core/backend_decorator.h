// A backend around another one: passes every op on. Derive from it and override what should be different; add
// `using BackendDecorator::run;` beside an override of run().
#pragma once

#include "core/backend.h"

namespace laban {

namespace decorator {

template <class... Ops>
struct OpList {};

using AllOps = OpList<ConvForward, ConvBackwardData, ConvBackwardWeights, BatchNormTrain, BatchNormInfer,
                      BatchNormBackward, InverseStd, ReluForward, ReluBackward, Accumulate, Cast,
                      MaxPoolForward, MaxPoolBackward, GlobalAvgPoolForward, GlobalAvgPoolBackward, Dropout,
                      SubsampleForward, SubsampleBackward, ClipsFromFrames, MixClips, LinearForward,
                      LinearBackwardData, LinearBackwardWeights, SoftmaxCrossEntropy, Softmax, SgdStep,
                      AdamStep, MovingAverage, SumOfSquares, SetZero>;
// The ops with an overload of their own in Backend.
using OpsWithScratch = OpList<ConvForward, ConvBackwardData, ConvBackwardWeights, BatchNormTrain,
                              BatchNormInfer, BatchNormBackward, MaxPoolBackward, GlobalAvgPoolForward,
                              LinearForward, LinearBackwardData, LinearBackwardWeights, SumOfSquares>;
using OpsWithPreparation = OpList<ConvForward, ConvBackwardData, ConvBackwardWeights, LinearForward,
                                  LinearBackwardData, LinearBackwardWeights>;

class Holder : public Backend {
 public:
  explicit Holder(Backend& inner) : inner_(inner) {}
  Backend& inner() const { return inner_; }

  std::string_view name() const override { return inner_.name(); }
  Device device() const override { return inner_.device(); }
  bool supports(DType compute) const override { return inner_.supports(compute); }
  int64_t channel_multiple(DType compute) const override { return inner_.channel_multiple(compute); }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return inner_.allocate(bytes); }
  void upload(const Tensor& to, const void* from) override { inner_.upload(to, from); }
  void download(void* to, const Tensor& from) override { inner_.download(to, from); }
  void synchronize() override { inner_.synchronize(); }
  std::optional<size_t> free_bytes() override { return inner_.free_bytes(); }
  std::unique_ptr<Memory> allocate_staging(size_t bytes) override { return inner_.allocate_staging(bytes); }
  void begin_upload(const Tensor& to, const void* from) override { inner_.begin_upload(to, from); }
  void await_uploads() override { inner_.await_uploads(); }
  bool rounds_before_adding(const ConvBackwardWeights& op) override {
    return inner_.rounds_before_adding(op);
  }
  bool rounds_before_adding(const ConvBackwardData& op) override { return inner_.rounds_before_adding(op); }
  std::string note() const override { return inner_.note(); }
  // record() is not passed on: a decorator wants to see every op in every step.

 private:
  Backend& inner_;
};

// One level of inheritance an op: each overrides one overload and brings those of the level below along.

template <class Below, class List>
class Runs;
template <class Below>
class Runs<Below, OpList<>> : public Below {
 public:
  using Below::Below;
};
template <class Below, class Op, class... Rest>
class Runs<Below, OpList<Op, Rest...>> : public Runs<Below, OpList<Rest...>> {
 public:
  using Runs<Below, OpList<Rest...>>::Runs;
  using Runs<Below, OpList<Rest...>>::run;
  void run(const Op& op, Scratch scratch) override { this->inner().run(op, scratch); }
};

template <class Below, class List>
class Scratches;
template <class Below>
class Scratches<Below, OpList<>> : public Below {
 public:
  using Below::Below;
};
template <class Below, class Op, class... Rest>
class Scratches<Below, OpList<Op, Rest...>> : public Scratches<Below, OpList<Rest...>> {
 public:
  using Scratches<Below, OpList<Rest...>>::Scratches;

 protected:
  using Scratches<Below, OpList<Rest...>>::scratch_for;
  size_t scratch_for(const Op& op) override { return this->inner().scratch_bytes(op); }
};

template <class Below, class List>
class Preparations;
template <class Below>
class Preparations<Below, OpList<>> : public Below {
 public:
  using Below::Below;
};
template <class Below, class Op, class... Rest>
class Preparations<Below, OpList<Op, Rest...>> : public Preparations<Below, OpList<Rest...>> {
 public:
  using Preparations<Below, OpList<Rest...>>::Preparations;

 protected:
  using Preparations<Below, OpList<Rest...>>::prepare_for;
  void prepare_for(const Op& op) override { this->inner().prepare(op); }
};

}  // namespace decorator

class BackendDecorator : public decorator::Preparations<
                             decorator::Scratches<decorator::Runs<decorator::Holder, decorator::AllOps>,
                                                  decorator::OpsWithScratch>,
                             decorator::OpsWithPreparation> {
 public:
  using Preparations::Preparations;
};

}  // namespace laban
