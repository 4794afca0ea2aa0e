// A tensor that owns its host memory, for tests: made from numbers, read back as numbers.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "core/backend.h"

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
  /// Largest |difference| / max(1, |expected|). NaN differs from a number by infinity, from NaN not at all.
  double distance(const std::vector<double>& expected) const;

 private:
  Shape shape_;
  DType dtype_;
  std::vector<std::byte> bytes_;  // operator new aligns to 16, enough for every element type
};

/// Runs an op on a host backend, its scratch full of NaN.
template <class Op>
void run_op(Backend& backend, const Op& op) {
  backend.prepare(op);
  const size_t bytes = backend.scratch_bytes(op);
  const std::unique_ptr<Memory> memory = backend.allocate(bytes + 1);
  std::memset(memory->data(), 0xFF, bytes);
  backend.run(op, Scratch{memory->data(), bytes});
}

}  // namespace laban::test
