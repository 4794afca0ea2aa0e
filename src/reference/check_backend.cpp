#include "reference/check_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"

namespace laban::opcheck {
namespace {

constexpr double kTf32Roundoff = 0x1p-11;

double unit_roundoff(DType dtype) {
  return dtype == DType::f64 ? 0x1p-53 : dtype == DType::bf16 ? 0x1p-8 : 0x1p-24;
}

bool is_float(DType dtype) { return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::bf16; }

// Of what is finite: a run that diverges is told of elsewhere, and must not hide what differs.
double norm(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values)
    if (std::isfinite(value)) sum += value * value;
  return std::sqrt(sum);
}
double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values)
    if (std::isfinite(value)) result = std::max(result, std::abs(value));
  return result;
}

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

void Checker::keep(std::vector<double> Copy::*where) {
  for (Copy& copy : copies_) {
    if (copy.use == TensorUse::read) continue;
    std::vector<double>& values = copy.*where;
    if (copy.wide.empty()) {
      if (where == &Copy::right) values = widened(copy.bytes, copy.original.dtype);
      continue;
    }
    values = copy.wide;
    if (where == &Copy::right) continue;
    if (where == &Copy::spread)
      for (double& value : values) value = std::sqrt(value);
    else
      for (double& value : values) value = std::abs(value);
    // What was there before goes into the sum as well; make_inputs() cleared it.
    for (size_t i = 0; i < copy.before.size(); ++i) values[i] += std::abs(copy.before[i]);
  }
}

void Checker::make_inputs(double (*of)(double)) {
  for (Copy& copy : copies_) {
    if (copy.use == TensorUse::read)
      for (double& value : copy.wide) value = of(value);
    else if (copy.use == TensorUse::updated)
      std::fill(copy.wide.begin(), copy.wide.end(), 0.0);
  }
}

Arithmetic Checker::arithmetic_of(bool has_factors) const {
  Arithmetic arithmetic;
  arithmetic.sums = unit_roundoff(DType::f64);
  for (const Copy& copy : copies_)
    if (is_float(copy.original.dtype) && copy.original.dtype != DType::f64)
      arithmetic.sums = unit_roundoff(DType::f32);
  if (tf32_ && has_factors) arithmetic.products = kTf32Roundoff;
  return arithmetic;
}

void Checker::compare(std::string_view op, const Copy& copy, Arithmetic arithmetic, int64_t terms) {
  const std::vector<double> got = values_of(copy.original);
  const std::vector<double>& right = copy.right;
  std::vector<double> difference(got.size());
  size_t worst = 0;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < got.size(); ++i) {
    const bool same = got[i] == right[i] || (std::isnan(got[i]) && std::isnan(right[i]));
    difference[i] = same ? 0 : std::abs(got[i] - right[i]);
    if (std::isnan(difference[i])) difference[i] = kInfinity;
    if (difference[i] > difference[worst]) worst = i;
  }
  arithmetic.results = is_float(copy.original.dtype) ? unit_roundoff(copy.original.dtype) : 0;
  std::vector<double> added;
  if (arithmetic.addends > 0 && copy.use == TensorUse::updated) {
    added = right;
    for (size_t i = 0; i < added.size(); ++i) added[i] -= copy.before[i];
  }
  // Of the whole tensor, and of its worst element, which would drown in a large one.
  double fraction = difference[worst] == kInfinity ? kInfinity : 0;
  for (double (*const size)(const std::vector<double>&) : {&norm, &largest})
    if (const double found = size(difference); found > 0)
      fraction = std::max(fraction, found / allowed(arithmetic, terms, size(right), size(copy.magnitude),
                                                    size(copy.spread), size(added)));
  const double error = fraction > 0 ? norm(difference) / norm(right) : 0;

  CheckedOp& checked = checked_[std::string(op)];
  if (!(fraction < checked.fraction)) {
    checked.fraction = fraction;
    checked.error = error;
    checked.tensor = copy.name;
  }
  if (fraction <= 1) return;
  throw Error(
      text("op ", op, " on '", backend_.name(), "' disagrees with the reference: ", copy.name, " (",
           copy.original.dtype, ", ", copy.original.shape, ") differs by ", error, " of its norm, ", fraction,
           " times what rounding explains; most in element ", worst, ", which is ", got[worst],
           " instead of ", right[worst]),
      "The inputs were the same. `laban bench ops` and the tests of the backend try the op by itself.");
}

}  // namespace laban::opcheck
