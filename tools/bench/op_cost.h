// The least that an op takes of a machine, whatever computes it: bytes to and from memory, and arithmetic.
#pragma once

#include <string>

#include "core/backend.h"

namespace laban::tools {

struct OpCost {
  std::string name, geometry;   // "conv.forward"; window and shapes
  double gbyte = 0, gflop = 0;  // gflop: convolutions and linear layers only
};

OpCost cost_of(const ConvForward& op);
OpCost cost_of(const ConvBackwardData& op);
OpCost cost_of(const ConvBackwardWeights& op);
OpCost cost_of(const BatchNormTrain& op);
OpCost cost_of(const BatchNormInfer& op);
OpCost cost_of(const BatchNormBackward& op);
OpCost cost_of(const InverseStd& op);
OpCost cost_of(const ReluForward& op);
OpCost cost_of(const ReluBackward& op);
OpCost cost_of(const Accumulate& op);
OpCost cost_of(const Cast& op);
OpCost cost_of(const MaxPoolForward& op);
OpCost cost_of(const MaxPoolBackward& op);
OpCost cost_of(const GlobalAvgPoolForward& op);
OpCost cost_of(const GlobalAvgPoolBackward& op);
OpCost cost_of(const Dropout& op);
OpCost cost_of(const SubsampleForward& op);
OpCost cost_of(const SubsampleBackward& op);
OpCost cost_of(const ClipsFromFrames& op);
OpCost cost_of(const MixClips& op);
OpCost cost_of(const LinearForward& op);
OpCost cost_of(const LinearBackwardData& op);
OpCost cost_of(const LinearBackwardWeights& op);
OpCost cost_of(const SoftmaxCrossEntropy& op);
OpCost cost_of(const Softmax& op);
OpCost cost_of(const SgdStep& op);
OpCost cost_of(const AdamStep& op);
OpCost cost_of(const MovingAverage& op);
OpCost cost_of(const SumOfSquares& op);
OpCost cost_of(const SetZero& op);

}  // namespace laban::tools
