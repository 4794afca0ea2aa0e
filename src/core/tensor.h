// Shape and Tensor: a small, non-owning view. Arenas own memory (arena.h).
//
// Memory order is NDHWC on every backend: index (n, t, h, w, c) lies at
//     (((n*T + t)*H + h)*W + w)*C + c.
// The same five numbers describe everything:
//     activation   n = batch, c = channels, t/h/w = frames, rows, columns
//     conv weight  n = output channels, c = input channels, t/h/w = kernel   (memory order O,kT,kH,kW,I)
//     matrix       n = rows, c = columns
//     vector       c = length
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "core/dtype.h"
#include "core/error.h"

namespace laban {

struct Shape {
  int64_t n = 1, c = 1, t = 1, h = 1, w = 1;

  static constexpr Shape vector(int64_t length) { return {1, length, 1, 1, 1}; }
  static constexpr Shape matrix(int64_t rows, int64_t columns) { return {rows, columns, 1, 1, 1}; }

  constexpr int64_t count() const { return n * c * t * h * w; }
  /// Places that each hold one channel vector: n*t*h*w.
  constexpr int64_t pixels() const { return n * t * h * w; }
  constexpr int64_t index(int64_t in, int64_t it, int64_t ih, int64_t iw, int64_t ic) const {
    return (((in * t + it) * h + ih) * w + iw) * c + ic;
  }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

/// "2x16x56x56x64" in memory order N,T,H,W,C.
inline std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.n << 'x' << s.t << 'x' << s.h << 'x' << s.w << 'x' << s.c;
}
inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

enum class Device : uint8_t { cpu, cuda };

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Device device = Device::cpu;

  Tensor() = default;
  Tensor(void* data, DType dtype, Shape shape, Device device = Device::cpu)
      : data(data), dtype(dtype), shape(shape), device(device) {}
  template <class T>
  Tensor(T* data, Shape shape) : data(data), dtype(DTypeOf<T>::value), shape(shape) {}

  bool empty() const { return data == nullptr; }
  explicit operator bool() const { return data != nullptr; }
  int64_t count() const { return shape.count(); }
  size_t bytes() const { return static_cast<size_t>(shape.count()) * size_of(dtype); }

  /// The elements as T; T must be the tensor's own type.
  template <class T>
  T* as() const {
    require(DTypeOf<T>::value == dtype, "Tensor::as: element type differs from the tensor's dtype");
    return static_cast<T*>(data);
  }
  /// The same of a tensor that an op may lack: null where it is empty.
  template <class T>
  T* as_or_null() const {
    return empty() ? nullptr : as<T>();
  }
  /// The same memory with another shape of the same element count.
  Tensor reshaped(Shape other) const {
    require(other.count() == shape.count(), "Tensor::reshaped: element count differs");
    Tensor view = *this;
    view.shape = other;
    return view;
  }
};

}  // namespace laban
