#include "cuda/conv/cudnn_plan.h"

namespace laban::cuda {

std::optional<Plan> Plan::make(EngineConfig config, const DeviceProperties& device, std::string* why) {
  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config.config);
  device.tell(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
  if (const cudnnStatus_t status = plan.try_finalize(); status != CUDNN_STATUS_SUCCESS) {
    if (why) *why = text(cudnnGetErrorString(status), " (", last_cudnn_message(), ")");
    return std::nullopt;
  }
  const auto workspace = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  return Plan(std::move(config), std::move(plan), static_cast<size_t>(workspace));
}

void Plan::run(cudnnHandle_t handle, std::span<const Binding> tensors, void* workspace,
               const ConvProblem& problem) const {
  std::vector<int64_t> ids;
  std::vector<void*> pointers;
  for (const Binding& binding : tensors) {
    require(reinterpret_cast<uintptr_t>(binding.data) % 16 == 0, "a tensor's address is no multiple of 16");
    ids.push_back(binding.tensor);
    pointers.push_back(binding.data);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
      .finalize("a variant pack");
  check(cudnnBackendExecute(handle, plan_.get(), pack.get()), "cudnnBackendExecute", problem);
}

}  // namespace laban::cuda
