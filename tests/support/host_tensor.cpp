#include "support/host_tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace laban::test {

double load_element(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f64:
      return static_cast<const double*>(data)[i];
    case DType::f32:
      return static_cast<const float*>(data)[i];
    case DType::bf16:
      return static_cast<float>(static_cast<const BFloat16*>(data)[i]);
    case DType::i64:
      return static_cast<double>(static_cast<const int64_t*>(data)[i]);
    case DType::i32:
      return static_cast<const int32_t*>(data)[i];
    case DType::u8:
      return static_cast<const uint8_t*>(data)[i];
  }
  return 0;
}

void store_element(void* data, DType dtype, int64_t i, double value) {
  switch (dtype) {
    case DType::f64:
      static_cast<double*>(data)[i] = value;
      return;
    case DType::f32:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      return;
    case DType::bf16:
      static_cast<BFloat16*>(data)[i] = BFloat16(static_cast<float>(value));
      return;
    case DType::i64:
      static_cast<int64_t*>(data)[i] = static_cast<int64_t>(value);
      return;
    case DType::i32:
      static_cast<int32_t*>(data)[i] = static_cast<int32_t>(value);
      return;
    case DType::u8:
      static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(value);
      return;
  }
}

double rounded(double value, DType dtype) {
  double place = 0;  // room and alignment for any type
  store_element(&place, dtype, 0, value);
  return load_element(&place, dtype, 0);
}

HostTensor::HostTensor(Shape shape, DType dtype, double fill)
    : HostTensor(shape, std::vector<double>(static_cast<size_t>(shape.count()), fill), dtype) {}

HostTensor::HostTensor(Shape shape, const std::vector<double>& values, DType dtype)
    : shape_(shape), dtype_(dtype), bytes_(static_cast<size_t>(shape.count()) * size_of(dtype)) {
  require(static_cast<int64_t>(values.size()) == shape.count(),
          "HostTensor: as many values as elements, please");
  for (int64_t i = 0; i < shape.count(); ++i) set(i, values[static_cast<size_t>(i)]);
}

std::vector<double> HostTensor::values() const {
  std::vector<double> result(static_cast<size_t>(shape_.count()));
  for (int64_t i = 0; i < shape_.count(); ++i) result[static_cast<size_t>(i)] = (*this)[i];
  return result;
}

double HostTensor::distance(const std::vector<double>& expected) const {
  require(static_cast<int64_t>(expected.size()) == shape_.count(),
          "HostTensor::distance: as many values as elements");
  double worst = 0;
  for (int64_t i = 0; i < shape_.count(); ++i) {
    const double a = (*this)[i], b = expected[static_cast<size_t>(i)];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double difference = std::abs(a - b) / std::max(1.0, std::abs(b));
    worst = std::max(worst, std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference);
  }
  return worst;
}

}  // namespace laban::test
