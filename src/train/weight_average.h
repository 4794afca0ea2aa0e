// An exponential moving average of a network's weights and running statistics: it usually classifies better
// than the last weights do, because it does not follow the noise of single steps.
#pragma once

#include <memory>

#include "layers/parameter.h"

namespace laban {

class WeightAverage {
 public:
  /// `decay` in (0, 1): of late updates; math/moving_average.h has the formula. Call start() next.
  WeightAverage(ParameterStore& store, double decay);

  /// Begins anew with the weights and statistics as they are.
  void start();
  /// Update `t` = 1, 2, ..., after the optimizer's t-th step.
  void update(int64_t t);

  /// Laid out as the store's weights and statistics.
  Tensor weights() const { return weights_; }
  Tensor statistics() const { return statistics_; }

  /// As long as it lives, the network computes with the averages; what it learned waits here.
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
