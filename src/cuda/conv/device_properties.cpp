#include "cuda/conv/device_properties.h"

#include <nlohmann/json.hpp>

namespace laban::cuda {

DeviceProperties DeviceProperties::of_handle(cudnnHandle_t handle, std::string name) {
  require(handle != nullptr, "DeviceProperties: no handle");
  return {std::move(name), handle, std::nullopt};
}

DeviceProperties DeviceProperties::from_json(std::string_view json) {
  require_sound_cudnn(cudnnGetVersion());
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("deviceName") || !parsed["deviceName"].is_string())
    throw Error("the description of a GPU is not JSON with a deviceName",
                "Take one that cuDNN wrote (CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION).");
  Descriptor d(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  d.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, std::span<const char>(json));
  d.finalize("the description of a GPU");
  return {parsed["deviceName"].get<std::string>(), nullptr, std::move(d)};
}

void DeviceProperties::tell(Descriptor& descriptor, std::optional<cudnnBackendAttributeName_t> handle_name,
                            std::optional<cudnnBackendAttributeName_t> description_name) const {
  if (handle_ && handle_name) descriptor.set(*handle_name, handle_);
  if (!handle_ && description_name) descriptor.set(*description_name, *description_);
}

}  // namespace laban::cuda
