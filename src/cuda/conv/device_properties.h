// Which GPU cuDNN plans for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cuda/conv/cudnn_descriptor.h"

namespace laban::cuda {

/// The GPU that cuDNN plans for: one of this machine, by a handle that works on it, or one that is only
/// described.
class DeviceProperties {
 public:
  /// `handle` must outlive what is planned with it. `name`: of the GPU, for messages.
  static DeviceProperties of_handle(cudnnHandle_t handle, std::string name);
  /// As cuDNN writes them (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION); `json` must name the device.
  static DeviceProperties from_json(std::string_view json);

  /// "NVIDIA H200"
  const std::string& name() const { return name_; }
  /// Tells a graph or a plan: a handle under the one attribute, a description under the other.
  void tell(Descriptor& descriptor, std::optional<cudnnBackendAttributeName_t> handle_name,
            std::optional<cudnnBackendAttributeName_t> description_name) const;

 private:
  DeviceProperties(std::string name, cudnnHandle_t handle, std::optional<Descriptor> description)
      : name_(std::move(name)), handle_(handle), description_(std::move(description)) {}

  std::string name_;
  cudnnHandle_t handle_;  // null: described
  std::optional<Descriptor> description_;
};

}  // namespace laban::cuda
