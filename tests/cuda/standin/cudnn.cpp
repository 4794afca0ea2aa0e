// cuDNN's graph API: planning is done by cuDNN itself, for the GPU of h200-device.json (it needs none for
// that). Every call is passed on, and what descriptors are made of is written down on the way; so that a plan
// that is to run, which would need a GPU, can be computed from its graph (cudnn_graph_run.cpp).
//
// These definitions are hidden (-fvisibility=hidden): laban's calls end here, cuDNN's own do not.
#include <cudnn_graph.h>
#include <dlfcn.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <string>

#include "core/error.h"
#include "standin/cudnn_graph_run.h"

using laban::require;
using laban::standin::Node;

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

/// cuDNN's function of this name.
template <class Function>
Function* real(const char* name) {
  static void* const library = dlopen(("libcudnn.so." + std::to_string(CUDNN_MAJOR)).c_str(), RTLD_NOW);
  require(library != nullptr, "the stand-in cuDNN: libcudnn is not there to plan");
  void* const found = dlsym(library, name);
  require(found != nullptr, "the stand-in cuDNN: a function is missing");
  return reinterpret_cast<Function*>(found);
}

std::mutex mutex;
std::map<cudnnBackendDescriptor_t, std::shared_ptr<Node>>& nodes() {
  static std::map<cudnnBackendDescriptor_t, std::shared_ptr<Node>> all;
  return all;
}
std::shared_ptr<Node> node_of(cudnnBackendDescriptor_t descriptor) {
  const std::lock_guard lock(mutex);
  const auto at = nodes().find(descriptor);
  require(at != nodes().end(), "the stand-in cuDNN: a descriptor that nobody has made");
  return at->second;
}

/// The GPU's description, as a descriptor of cuDNN's own.
cudnnBackendDescriptor_t gpu_description() {
  static const cudnnBackendDescriptor_t description = [] {
    std::ifstream file(LABAN_SOURCE_DIR "/tests/cuda/h200-device.json");
    require(file.good(), "the stand-in cuDNN: h200-device.json is missing");
    const std::string json(std::istreambuf_iterator<char>(file), {});
    cudnnBackendDescriptor_t made = nullptr;
    const bool well =
        real<decltype(cudnnBackendCreateDescriptor)>("cudnnBackendCreateDescriptor")(
            CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &made) == CUDNN_STATUS_SUCCESS &&
        real<decltype(cudnnBackendSetAttribute)>("cudnnBackendSetAttribute")(
            made, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
            static_cast<int64_t>(json.size()), json.data()) == CUDNN_STATUS_SUCCESS &&
        real<decltype(cudnnBackendFinalize)>("cudnnBackendFinalize")(made) == CUDNN_STATUS_SUCCESS;
    require(well, "the stand-in cuDNN: h200-device.json is not taken");
    return made;
  }();
  return description;
}

/// What plans with a handle asks the handle's GPU, which is not there: it is described instead.
void describe_card(cudnnBackendDescriptor_t descriptor, const Node& node) {
  static const std::map<cudnnBackendDescriptorType_t, cudnnBackendAttributeName_t> names{
      {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP},
      {CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_DEVICEPROP},
      {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP}};
  const auto name = names.find(node.type);
  if (name == names.end() || node.children.contains(name->second)) return;
  const cudnnBackendDescriptor_t gpu = gpu_description();
  real<decltype(cudnnBackendSetAttribute)>("cudnnBackendSetAttribute")(
      descriptor, name->second, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &gpu);
}

size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    default:
      return 4;  // float, int32 and the enumerations
  }
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* descriptor) {
  const auto status =
      real<decltype(cudnnBackendCreateDescriptor)>("cudnnBackendCreateDescriptor")(type, descriptor);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  const std::lock_guard lock(mutex);
  nodes()[*descriptor] = std::make_shared<Node>(Node{type, {}, {}, false});
  return status;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  {
    const std::lock_guard lock(mutex);
    nodes().erase(descriptor);
  }
  return real<decltype(cudnnBackendDestroyDescriptor)>("cudnnBackendDestroyDescriptor")(descriptor);
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  const auto set = real<decltype(cudnnBackendSetAttribute)>("cudnnBackendSetAttribute");
  if (type == CUDNN_TYPE_HANDLE) return CUDNN_STATUS_SUCCESS;  // in its place: describe_card()
  const std::shared_ptr<Node> node = node_of(descriptor);
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    auto& children = node->children[name];
    children.clear();
    for (int64_t i = 0; i < count; ++i)
      children.push_back(node_of(static_cast<const cudnnBackendDescriptor_t*>(values)[i]));
  } else {
    auto& bytes = node->values[name];
    bytes.resize(static_cast<size_t>(count) * bytes_of(type));
    std::memcpy(bytes.data(), values, bytes.size());
  }
  // A pack binds memory: cuDNN need not see it, as it will not run.
  if (node->type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR) return CUDNN_STATUS_SUCCESS;
  return set(descriptor, name, type, count, values);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t capacity, int64_t* count,
                                       void* values) {
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && node_of(descriptor)->unloaded) {
    *count = 1;
    *static_cast<int64_t*>(values) = 4096;
    return CUDNN_STATUS_SUCCESS;
  }
  const auto status = real<decltype(cudnnBackendGetAttribute)>("cudnnBackendGetAttribute")(
      descriptor, name, type, capacity, count, values);
  if (status == CUDNN_STATUS_SUCCESS && name == CUDNN_ATTR_ENGINEHEUR_RESULTS)
    for (int64_t i = 0; i < std::min(capacity, *count); ++i)
      node_of(static_cast<cudnnBackendDescriptor_t*>(values)[i])->children[Node::kFrom] = {
          node_of(descriptor)};
  return status;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  if (node_of(descriptor)->type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR) return CUDNN_STATUS_SUCCESS;
  describe_card(descriptor, *node_of(descriptor));
  const auto status = real<decltype(cudnnBackendFinalize)>("cudnnBackendFinalize")(descriptor);
  // A kernel that was compiled for this graph, and which only a driver could load: the plan is sound.
  if (status != CUDNN_STATUS_EXECUTION_FAILED_CUDA_DRIVER) return status;
  node_of(descriptor)->unloaded = true;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
  int64_t workspace_bytes = 0, count = 0;
  const auto status = cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                               CUDNN_TYPE_INT64, 1, &count, &workspace_bytes);
  if (status != CUDNN_STATUS_SUCCESS) return status;
  laban::standin::run_graph(laban::standin::graph_of(*node_of(plan)), *node_of(pack),
                            static_cast<size_t>(workspace_bytes), handle->stream);
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
