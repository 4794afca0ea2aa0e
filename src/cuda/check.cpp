#include "cuda/check.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace laban::cuda {
namespace {

std::string sentence(std::string_view call, std::string_view said, std::string_view more,
                     const std::string& doing) {
  std::string out = text(call, " failed: ", said);
  if (!more.empty()) out += text(" (", more, ")");
  if (!doing.empty()) out += text("; this was: ", doing);
  return out;
}

const char* advice_for(cudaError_t status) {
  switch (status) {
    case cudaErrorNoDevice:
    case cudaErrorInitializationError:
    case cudaErrorStubLibrary:
      return "No NVIDIA GPU can be reached from here (see nvidia-smi). Use --device cpu.";
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorUnsupportedPtxVersion:
      return "The NVIDIA driver is missing or older than this laban's CUDA: update the driver (nvidia-smi "
             "shows "
             "its version), or use --device cpu.";
    case cudaErrorMemoryAllocation:
      return "The GPU's memory is full: use a smaller batch, shorter or smaller clips, or --precision bf16; "
             "nvidia-smi shows who else uses the GPU.";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return "This laban was not built for this GPU's architecture: build it there, with "
             "-DLABAN_CUDA_ARCHITECTURES=native.";
    case cudaErrorDevicesUnavailable:
      return "Another process has the GPU for itself (compute mode in nvidia-smi -q).";
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorMisalignedAddress:
      return "A kernel went astray. Run once more with CUDA_LAUNCH_BLOCKING=1 and --no-graph to see which "
             "one, "
             "or under compute-sanitizer, and report it.";
    default:
      return "";
  }
}

const char* advice_for(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_NOT_INITIALIZED:
    case CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED:
    case CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH:
    case CUDNN_STATUS_NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE:
      return "cuDNN's libraries (libcudnn_graph, _cnn, _ops, _heuristic, _engines_*) must all be there, of "
             "one "
             "version, where the loader looks (LD_LIBRARY_PATH).";
    case CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER:
    case CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART:
      return "The NVIDIA driver is older than this cuDNN: update the driver (nvidia-smi shows its version).";
    case CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH:
      return "This cuDNN has nothing for this GPU's architecture: use a newer cuDNN, or --device cpu.";
    case CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED:
    case CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED:
      return "Memory is full: use a smaller batch, or shorter or smaller clips.";
    default:
      return "CUDNN_LOGLEVEL_DBG=3 CUDNN_LOGDEST_DBG=stderr in the environment makes cuDNN tell more.";
  }
}

const char* advice_for(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_NOT_INITIALIZED:
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "Most often the GPU's memory is full: use a smaller batch; nvidia-smi shows who else uses the "
             "GPU.";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "This cuBLAS has nothing for this GPU's architecture: use a newer CUDA toolkit, or --device "
             "cpu.";
    default:
      return "CUBLAS_LOGINFO_DBG=1 CUBLAS_LOGDEST_DBG=stderr in the environment makes cuBLAS tell more.";
  }
}

}  // namespace

std::string last_cudnn_message() {
  std::array<char, 2048> buffer{};
  cudnnGetLastErrorString(buffer.data(), buffer.size() - 1);
  std::string message(buffer.data());
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  const size_t last = message.find_last_not_of(' ');
  message.resize(last == std::string::npos ? 0 : last + 1);
  return message;
}

void fail(cudaError_t status, std::string_view call, const std::string& doing) {
  throw Error(sentence(call, cudaGetErrorName(status), cudaGetErrorString(status), doing),
              advice_for(status));
}
void fail(cudnnStatus_t status, std::string_view call, const std::string& doing) {
  throw Error(sentence(call, cudnnGetErrorString(status), last_cudnn_message(), doing), advice_for(status));
}
void fail(cublasStatus_t status, std::string_view call, const std::string& doing) {
  throw Error(sentence(call, cublasGetStatusName(status), cublasGetStatusString(status), doing),
              advice_for(status));
}

void require_sound_cudnn(size_t version) {
  if (version >= 91500) return;
  const size_t major_unit = version < 10000 ? 1000 : 10000;  // cuDNN 8 counted in thousands
  throw Error(text("cuDNN ", version / major_unit, '.', version % major_unit / 100, '.', version % 100,
                   " is loaded, and laban needs 9.15 or newer: 9.8 to 9.14 give wrong results in bf16 conv3d "
                   "over large tensors, and older ones cannot plan as laban does"),
              "Install a newer cuDNN 9, or use --device cpu.");
}

}  // namespace laban::cuda
