// cuDNN's backend descriptors as C++ objects.
//
// Everything in cuDNN's graph API (a tensor, an operation, a graph, an engine, a plan) is one opaque type,
// made by create -> set attributes -> finalize -> (get attributes) -> destroy. Descriptor does that and no
// more: the type tag that goes with a value is found from the value's C++ type, and failures throw with the
// attribute's number and cuDNN's own words.
#pragma once

#include <cudnn_graph.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/check.h"

namespace laban::cuda {

/// The type tag of a C++ type in cudnnBackendSetAttribute.
template <class T>
struct AttributeType;
template <>
struct AttributeType<cudnnDataType_t> {
  static constexpr auto tag = CUDNN_TYPE_DATA_TYPE;
};
template <>
struct AttributeType<bool> {
  static constexpr auto tag = CUDNN_TYPE_BOOLEAN;
};
template <>
struct AttributeType<int64_t> {
  static constexpr auto tag = CUDNN_TYPE_INT64;
};
template <>
struct AttributeType<int32_t> {
  static constexpr auto tag = CUDNN_TYPE_INT32;
};
template <>
struct AttributeType<float> {
  static constexpr auto tag = CUDNN_TYPE_FLOAT;
};
template <>
struct AttributeType<double> {
  static constexpr auto tag = CUDNN_TYPE_DOUBLE;
};
template <>
struct AttributeType<char> {
  static constexpr auto tag = CUDNN_TYPE_CHAR;
};
template <>
struct AttributeType<void*> {
  static constexpr auto tag = CUDNN_TYPE_VOID_PTR;
};
template <>
struct AttributeType<cudnnHandle_t> {
  static constexpr auto tag = CUDNN_TYPE_HANDLE;
};
template <>
struct AttributeType<cudnnConvolutionMode_t> {
  static constexpr auto tag = CUDNN_TYPE_CONVOLUTION_MODE;
};
template <>
struct AttributeType<cudnnPointwiseMode_t> {
  static constexpr auto tag = CUDNN_TYPE_POINTWISE_MODE;
};
template <>
struct AttributeType<cudnnBackendHeurMode_t> {
  static constexpr auto tag = CUDNN_TYPE_HEUR_MODE;
};
template <>
struct AttributeType<cudnnBackendKnobType_t> {
  static constexpr auto tag = CUDNN_TYPE_KNOB_TYPE;
};
template <>
struct AttributeType<cudnnBackendNumericalNote_t> {
  static constexpr auto tag = CUDNN_TYPE_NUMERICAL_NOTE;
};
template <>
struct AttributeType<cudnnBackendBehaviorNote_t> {
  static constexpr auto tag = CUDNN_TYPE_BEHAVIOR_NOTE;
};

template <class T>
concept AttributeValue = requires {
  AttributeType<T>::tag;
};

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    check(cudnnBackendCreateDescriptor(type, &handle_), "cudnnBackendCreateDescriptor", "descriptor type ",
          static_cast<int>(type));
  }
  ~Descriptor() {
    if (handle_ != nullptr) cudnnBackendDestroyDescriptor(handle_);
  }
  Descriptor(Descriptor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  cudnnBackendDescriptor_t get() const { return handle_; }

  template <AttributeValue T>
  Descriptor& set(cudnnBackendAttributeName_t name, T value) {
    return set_raw(name, AttributeType<T>::tag, 1, &value);
  }
  template <AttributeValue T>
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    return set_raw(name, AttributeType<T>::tag, static_cast<int64_t>(values.size()), values.data());
  }
  template <AttributeValue T>
  Descriptor& set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    return set(name, std::span<const T>(values));
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.handle_);
  }
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const Descriptor> values) {
    std::vector<cudnnBackendDescriptor_t> handles;
    for (const Descriptor& value : values) handles.push_back(value.handle_);
    return set_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(handles.size()), handles.data());
  }

  /// Throws where cuDNN refuses; `what` names the descriptor in the error ("the tensor x").
  Descriptor& finalize(std::string_view what) {
    check(cudnnBackendFinalize(handle_), "cudnnBackendFinalize", what);
    return *this;
  }
  /// For descriptors whose refusal is an answer (an engine that cannot run the graph), not an error.
  cudnnStatus_t try_finalize() { return cudnnBackendFinalize(handle_); }

  template <AttributeValue T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    int64_t count = 0;
    get_raw(name, AttributeType<T>::tag, 1, &count, &value);
    return value;
  }
  /// Up to `most` values.
  template <AttributeValue T>
  std::vector<T> get_all(cudnnBackendAttributeName_t name, int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    int64_t count = 0;
    get_raw(name, AttributeType<T>::tag, most, &count, values.data());
    values.resize(static_cast<size_t>(std::min(count, most)));
    return values;
  }
  /// cuDNN fills descriptors that the caller made: up to `most` new ones of `type`.
  std::vector<Descriptor> get_descriptors(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          int64_t most) const {
    std::vector<Descriptor> values;
    std::vector<cudnnBackendDescriptor_t> handles;
    for (int64_t i = 0; i < most; ++i) {
      values.emplace_back(type);
      handles.push_back(values.back().handle_);
    }
    int64_t count = 0;
    get_raw(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, &count, handles.data());
    values.erase(values.begin() + std::min(count, most), values.end());
    return values;
  }

 private:
  Descriptor& set_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                      const void* values) {
    check(cudnnBackendSetAttribute(handle_, name, type, count, values), "cudnnBackendSetAttribute",
          "attribute ", static_cast<int>(name));
    return *this;
  }
  void get_raw(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t capacity,
               int64_t* count, void* values) const {
    check(cudnnBackendGetAttribute(handle_, name, type, capacity, count, values), "cudnnBackendGetAttribute",
          "attribute ", static_cast<int>(name));
  }

  cudnnBackendDescriptor_t handle_ = nullptr;
};

}  // namespace laban::cuda
