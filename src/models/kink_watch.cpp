#include "models/kink_watch.h"

namespace laban {
namespace {

template <class T>
bool positive(const T& value) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return static_cast<float>(value) > 0;
  else
    return value > 0;
}

}  // namespace

void KinkWatch::note_signs(const Tensor& y) {
  const auto all = [&](const auto* values) {
    for (int64_t i = 0; i < y.count(); ++i) add(positive(values[i]) ? 1 : 2);
  };
  switch (y.dtype) {
    case DType::f64:
      return all(y.as<double>());
    case DType::f32:
      return all(y.as<float>());
    case DType::bf16:
      return all(y.as<BFloat16>());
    default:
      require(false, "KinkWatch: not an activation");
  }
}

void KinkWatch::run(const BatchNormTrain& op, Scratch scratch) {
  inner().run(op, scratch);
  if (op.relu) note_signs(op.y);
}

void KinkWatch::run(const BatchNormInfer& op, Scratch scratch) {
  inner().run(op, scratch);
  if (op.relu) note_signs(op.y);
}

void KinkWatch::run(const ConvBatchNorm& op, Scratch scratch) {
  inner().run(op, scratch);
  if (op.relu) note_signs(op.y);
}

void KinkWatch::run(const ReluForward& op, Scratch scratch) {
  inner().run(op, scratch);
  note_signs(op.y);
}

void KinkWatch::run(const MaxPoolForward& op, Scratch scratch) {
  inner().run(op, scratch);
  if (!op.taps) return;
  for (int64_t i = 0; i < op.taps.count(); ++i) add(op.taps.as<uint8_t>()[i]);
}

}  // namespace laban
