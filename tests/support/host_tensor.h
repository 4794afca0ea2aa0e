// A tensor that owns its host memory, for tests: made from numbers, read back as numbers.
#pragma once

#include <vector>

#include "core/tensor.h"

namespace laban::test {

/// The value of element `i` of raw memory of type `dtype`, and its assignment (floats round to nearest).
double load_element(const void* data, DType dtype, int64_t i);
void store_element(void* data, DType dtype, int64_t i, double value);
/// The nearest number that `dtype` can hold.
double rounded(double value, DType dtype);

class HostTensor {
 public:
  /// All elements hold `fill`.
  HostTensor(Shape shape, DType dtype = DType::f64, double fill = 0);
  HostTensor(Shape shape, const std::vector<double>& values, DType dtype = DType::f64);
  HostTensor(HostTensor&&) = default;

  Tensor tensor() { return Tensor(bytes_.data(), dtype_, shape_); }
  operator Tensor() { return tensor(); }
  const Shape& shape() const { return shape_; }
  double operator[](int64_t i) const { return load_element(bytes_.data(), dtype_, i); }
  double at(int64_t n, int64_t t, int64_t h, int64_t w, int64_t c) const {
    return (*this)[shape_.index(n, t, h, w, c)];
  }
  void set(int64_t i, double value) { store_element(bytes_.data(), dtype_, i, value); }
  std::vector<double> values() const;

 private:
  Shape shape_;
  DType dtype_;
  std::vector<std::byte> bytes_;  // operator new aligns to 16, enough for every element type
};

}  // namespace laban::test
