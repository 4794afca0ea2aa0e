// An exponential moving average of a network's weights and running statistics: it usually classifies better
// than the last weights, because it averages out the noise of single steps.
#pragma once

#include <memory>

#include "layers/parameter.h"

namespace laban {

class WeightAverage {
 public:
  /// `decay` in (0, 1), reached after some updates; math/moving_average.h has the formula. Call start() next.
  WeightAverage(ParameterStore& store, double decay);

  /// Restarts from the current weights and statistics.
  void start();
  /// Update `t` = 1, 2, ..., after the optimizer's t-th step.
  void update(int64_t t);

  /// Laid out like the store's weights and statistics.
  Tensor weights() const { return weights_; }
  Tensor statistics() const { return statistics_; }

  /// While it exists, the network computes with the averages; the raw weights are kept here.
  class InUse {
   public:
    explicit InUse(WeightAverage& average) : average_(average) { average_.exchange(); }
    ~InUse() { average_.exchange(); }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

   private:
    WeightAverage& average_;
  };

 private:
  void exchange();

  ParameterStore& store_;
  double decay_;
  std::unique_ptr<Memory> memory_;
  Tensor weights_, statistics_;
};

}  // namespace laban
