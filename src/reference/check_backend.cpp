#include "reference/check_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace laban::opcheck {
namespace {

bool is_float(DType dtype) { return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16; }

double norm(const double* values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += values[i] * values[i];
  return std::sqrt(sum);
}
/// Of the reference's copies.
double norm(const Tensor& wide) { return norm(wide.as<double>(), static_cast<size_t>(wide.count())); }
double rms(const Tensor& wide) { return norm(wide) / std::sqrt(static_cast<double>(wide.count())); }

template <class T>
std::vector<double> widened(const std::vector<std::byte>& bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    if constexpr (std::is_same_v<T, BFloat16>)
      values[i] = static_cast<float>(value);
    else
      values[i] = static_cast<double>(value);
  }
  return values;
}

std::vector<double> widened(const std::vector<std::byte>& bytes, DType dtype) {
  switch (dtype) {
    case DType::f64:
      return widened<double>(bytes);
    case DType::f32:
      return widened<float>(bytes);
    case DType::bf16:
      return widened<BFloat16>(bytes);
    case DType::i64:
      return widened<int64_t>(bytes);
    case DType::i32:
      return widened<int32_t>(bytes);
    case DType::u8:
      return widened<uint8_t>(bytes);
  }
  return {};
}

}  // namespace

std::vector<double> Checker::values_of(const Tensor& tensor) const {
  std::vector<std::byte> bytes(tensor.bytes());
  backend_.download(bytes.data(), tensor);
  return widened(bytes, tensor.dtype);
}

Copy Checker::copy_of(std::string_view name, const Tensor& tensor, TensorUse use) const {
  Copy copy;
  copy.name = name;
  copy.use = use;
  copy.original = tensor;
  // The optimizer's bf16 copy of the weights is bf16 in the reference too: it is what it is for.
  const bool widen = is_float(tensor.dtype) && name != "working";
  if (use == TensorUse::written) {
    // NaN: what the reference does not write shows.
    if (widen)
      copy.wide.assign(static_cast<size_t>(tensor.count()), std::numeric_limits<double>::quiet_NaN());
    if (!widen) copy.bytes.resize(tensor.bytes());
    return copy;
  }
  if (use == TensorUse::updated) copy.before = values_of(tensor);
  if (widen) {
    copy.wide = use == TensorUse::updated ? copy.before : values_of(tensor);
  } else {
    copy.bytes.resize(tensor.bytes());
    backend_.download(copy.bytes.data(), tensor);
  }
  return copy;
}

Tensor Checker::in_copy(Copy& copy) const {
  Tensor tensor = copy.original;
  tensor.device = Device::cpu;
  if (copy.wide.empty()) {
    tensor.data = copy.bytes.data();
  } else {
    tensor.data = copy.wide.data();
    tensor.dtype = DType::f64;
  }
  return tensor;
}

double Checker::limit() const {
  double limit = limits_.f64;
  for (const Copy& copy : copies_) {
    if (copy.original.dtype == DType::f32) limit = std::max(limit, limits_.f32);
    if (copy.original.dtype == DType::bf16) limit = std::max(limit, limits_.bf16);
  }
  return limit;
}

void Checker::compare(std::string_view op, const Copy& copy, double rounding) {
  const std::vector<double> got = values_of(copy.original);
  const std::vector<double> want = copy.wide.empty() ? widened(copy.bytes, copy.original.dtype) : copy.wide;
  std::vector<double> difference(got.size());
  size_t worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    // NaN and infinity agree with themselves: a run that diverges is told of elsewhere.
    const bool same = got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]));
    difference[i] = same ? 0 : std::abs(got[i] - want[i]);
    if (!(difference[i] <= difference[worst])) worst = i;
  }
  double scale = norm(want.data(), want.size());
  if (!copy.before.empty() && copy.original.dtype != DType::bf16) {
    std::vector<double> change(want.size());
    for (size_t i = 0; i < change.size(); ++i) change[i] = want[i] - copy.before[i];
    // A small change of large values is rounded as these are.
    scale = norm(change.data(), change.size()) + 1e-3 * norm(copy.before.data(), copy.before.size());
  }
  scale = std::max(scale, rounding);
  const double error = norm(difference.data(), difference.size());
  const double relative = error == 0 ? 0 : error / scale;  // infinite where nothing should be there
  const double limit = this->limit();

  CheckedOp& checked = checked_[std::string(op)];
  if (relative >= checked.worst) {
    checked.worst = relative;
    checked.limit = limit;
    checked.tensor = copy.name;
  }
  if (relative <= limit) return;
  throw Error(
      text("op ", op, " on '", backend_.name(), "' disagrees with the reference: ", copy.name, " (",
           copy.original.dtype, ", ", copy.original.shape, ") differs by ", relative,
           " of its norm, the limit is ", limit, "; most in element ", worst, ", which is ", got[worst],
           " instead of ", want[worst]),
      "The inputs were the same. `laban bench ops` and the tests of the backend try the op by itself.");
}

/// Gradients of weights are sums over all places, of products with changing signs: behind a batch norm much
/// less remains than would of random signs. What these would leave, sqrt(places) of each product, is the
/// measure.
double Checker::rounding(const ConvBackwardWeights& op, std::string_view tensor) {
  const auto places = static_cast<double>(op.dy.count()) / static_cast<double>(op.dy.shape.c);
  const double dy = rms(op.dy) * std::sqrt(places);
  return tensor == "dw" ? dy * rms(op.x) * std::sqrt(static_cast<double>(op.dw.count()))
                        : dy * std::sqrt(static_cast<double>(op.dy.shape.c));
}

/// A mean of large values may be small.
double Checker::rounding(const BatchNormTrain& op, std::string_view tensor) {
  return tensor == "mean" ? rms(op.x) * std::sqrt(static_cast<double>(op.x.shape.c)) : 0;
}

/// dx = gamma*inv_std * (g - ...): with few values a channel, hardly anything of g remains. dgamma and dbeta:
/// sums over all places, as above.
double Checker::rounding(const BatchNormBackward& op, std::string_view tensor) {
  if (tensor == "dgamma" || tensor == "dbeta") return norm(op.dy);
  if (tensor != "dx") return 0;
  const int64_t channels = op.x.shape.c;
  const double *dy = op.dy.as<double>(), *gamma = op.gamma.as<double>(), *inv_std = op.inv_std.as<double>();
  double sum = 0;
  for (int64_t i = 0; i < op.dy.count(); ++i) {
    const double value = dy[i] * gamma[i % channels] * inv_std[i % channels];
    sum += value * value;
  }
  return std::sqrt(sum);
}

/// The loss of a certain answer is the small difference of large logits.
double Checker::rounding(const SoftmaxCrossEntropy& op, std::string_view tensor) {
  return tensor == "loss" ? norm(op.logits) : 0;
}

}  // namespace laban::opcheck
