// Softmax, and cross-entropy on top of it. Formulas: math/softmax.h.
#include <algorithm>

#include "math/softmax.h"
#include "reference/loops.h"

namespace laban::reference {
namespace {
template <class M>
SoftmaxRow<double> softmax_row(const M* logits, int64_t classes) {
  double max = logits[0], sum = 0;
  for (int64_t k = 1; k < classes; ++k) max = std::max<double>(max, logits[k]);
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(logits[k] - max);
  return {max, sum};
}

}  // namespace

template <>
size_t scratch_bytes(const SoftmaxCrossEntropy&) {
  return 0;
}
template <>
void run(const SoftmaxCrossEntropy& op, Scratch) {
  with_master_type(op.logits.dtype, [&]<class M>() {
    const int64_t rows = op.logits.shape.n, classes = op.logits.shape.c;
    const int32_t* labels = op.labels.as<int32_t>();
    const int32_t* others = op.other_labels.as_or_null<int32_t>();
    const M* fractions = op.fraction.as_or_null<M>();
    const M* weights = op.class_weights.as_or_null<M>();
    M *loss = op.loss.as<M>(), *dlogits = op.dlogits.as_or_null<M>();
    for (int64_t n = 0; n < rows; ++n) {
      const M* z = op.logits.as<M>() + n * classes;
      const SoftmaxRow<double> row = softmax_row(z, classes);
      const SmoothedTarget<double> target(labels[n], others ? others[n] : labels[n],
                                          fractions ? fractions[n] : 1, classes, op.smoothing);
      double sum = 0, mass = 1;  // of the targets
      if (weights) {
        mass = 0;
        for (int64_t k = 0; k < classes; ++k) mass += target(k) * weights[k];
      }
      for (int64_t k = 0; k < classes; ++k) {
        const double q = target(k) * (weights ? weights[k] : 1);
        if (q != 0) sum -= q * row.log_probability(z[k]);  // 0 log 0 counts as 0
        if (dlogits) store(dlogits[n * classes + k], op.scale * (row.probability(z[k]) * mass - q));
      }
      store(loss[n], sum);
    }
  });
}

template <>
size_t scratch_bytes(const Softmax&) {
  return 0;
}
template <>
void run(const Softmax& op, Scratch) {
  with_master_type(op.logits.dtype, [&]<class M>() {
    const int64_t rows = op.logits.shape.n, classes = op.logits.shape.c;
    for (int64_t n = 0; n < rows; ++n) {
      const M* z = op.logits.as<M>() + n * classes;
      M* p = op.probabilities.as<M>() + n * classes;
      const SoftmaxRow<double> row = softmax_row(z, classes);
      for (int64_t k = 0; k < classes; ++k) store(p[k], row.probability(z[k]));
    }
  });
}

}  // namespace laban::reference
