#include "cuda/check.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/machine_error.h"

namespace laban::cuda {
namespace {

std::string sentence(std::string_view call, std::string_view said, std::string_view more,
                     const std::string& doing) {
  std::string out = text(call, " failed: ", said);
  if (!more.empty()) out += text(" (", more, ")");
  if (!doing.empty()) out += text("; this was: ", doing);
  return out;
}

/// Errors after which the GPU does nothing more for this process: every later call fails with the same one.
bool is_lasting(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorAssert:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
      return true;
    default:
      return false;
  }
}

std::string advice_after(cudaError_t lasting) {
  const bool hardware = lasting == cudaErrorECCUncorrectable || lasting == cudaErrorNvlinkUncorrectable;
  return text(
      "The GPU does nothing more for this process, so it ends; begin anew (`laban train --resume RUN` continues "
      "from the last checkpoint). ",
      hardware ? "The hardware is at fault: nvidia-smi -q shows its errors."
      : lasting == cudaErrorLaunchTimeout
          ? "A kernel took longer than the system allows a GPU that also draws a screen."
          : "If it happens again: CUDA_LAUNCH_BLOCKING=1 with --no-graph shows which kernel went astray, "
            "compute-sanitizer where; please report it.");
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
  const std::string said = sentence(call, cudaGetErrorName(status), cudaGetErrorString(status), doing);
  if (is_lasting(status)) throw MachineError(said, advice_after(status));
  throw Error(said, advice_for(status));
}

namespace {

/// For what a library says of its call: it may be a kernel's fault of before, which is CUDA's to tell.
[[noreturn]] void fail_in_library(const std::string& said, const char* advice) {
  const cudaError_t before = cudaPeekAtLastError();
  if (is_lasting(before))
    throw MachineError(text(said, "; the GPU had failed: ", cudaGetErrorString(before)),
                       advice_after(before));
  throw Error(said, advice);
}

}  // namespace

void fail(cudnnStatus_t status, std::string_view call, const std::string& doing) {
  fail_in_library(sentence(call, cudnnGetErrorString(status), last_cudnn_message(), doing),
                  advice_for(status));
}
void fail(cublasStatus_t status, std::string_view call, const std::string& doing) {
  fail_in_library(sentence(call, cublasGetStatusName(status), cublasGetStatusString(status), doing),
                  advice_for(status));
}

void require_sound_cudnn(size_t version, const std::string& path) {
  if (version >= 91500) return;
  const size_t major_unit = version < 10000 ? 1000 : 10000;  // cuDNN 8 counted in thousands
  throw Error(text("cuDNN ", version / major_unit, '.', version % major_unit / 100, '.', version % 100,
                   " is loaded", path.empty() ? "" : " from " + path,
                   ", and laban needs 9.15 or newer: 9.8 to 9.14 give wrong results in bf16 conv3d "
                   "over large tensors, and older ones cannot plan as laban does"),
              "Install a newer cuDNN 9, or, where there is one beside it, let the loader find that first "
              "(LD_LIBRARY_PATH); or use --device cpu.");
}

}  // namespace laban::cuda
