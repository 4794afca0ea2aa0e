// CUDA's runtime, as far as laban calls it, on the GPU that is not there.
#include <cuda_runtime.h>

#include <cstring>
#include <thread>

#include "core/error.h"
#include "standin/gpu.h"

using laban::Error;
using laban::require;
using laban::text;
using laban::standin::Gpu;
using laban::standin::Mark;

namespace {

thread_local cudaError_t last_error = cudaSuccess;

/// Every call: one at a time, and its failure is kept for cudaGetLastError().
template <class Body>
cudaError_t call(const char* name, Body&& body) {
  Gpu& gpu = Gpu::the_one();
  const std::lock_guard lock(gpu.mutex());
  cudaError_t status = gpu.begin_call(name);
  if (status == cudaSuccess) {
    status = body(gpu);
  } else if (const std::string_view word(name);
             word.starts_with("cudaFree") || word.ends_with("Destroy") || word == "cudaStreamEndCapture") {
    body(gpu);  // so that the next test finds the memory again, and no recording is left open
  }
  if (status != cudaSuccess) last_error = status;
  return status;
}

/// For what waits or allocates: not while this thread records a stream (cudaStreamCaptureModeThreadLocal).
template <class Body>
cudaError_t unrecorded(const char* name, Body&& body) {
  return call(name, [&](Gpu& gpu) {
    if (gpu.recording_here()) {
      gpu.spoil_recording();
      return cudaErrorStreamCaptureUnsupported;
    }
    return body(gpu);
  });
}

/// Where a call that cannot throw (memory is given back in destructors) must run what is left.
void finish_quietly(Gpu& gpu) {
  try {
    gpu.finish_all();
  } catch (const Error& error) {
    std::fprintf(stderr, "the stand-in GPU: %s\n", error.what());
    std::abort();
  }
}

/// A copy from or to pageable memory waits for the stream and is made at once; others are ordered with it.
cudaError_t copy(Gpu& gpu, void* to, const void* from, size_t bytes, cudaStream_t stream) {
  const auto check = [&](const void* data, const char* what) {
    if (gpu.is_on_gpu(data) || gpu.is_reachable(data)) gpu.require_piece(data, bytes, what);
  };
  check(to, "cudaMemcpyAsync, to");
  check(from, "cudaMemcpyAsync, from");
  const auto work = [to, from, bytes] { std::memmove(to, from, bytes); };
  if (gpu.is_reachable(to) && gpu.is_reachable(from)) {
    gpu.put(stream, work);
    return cudaSuccess;
  }
  if (gpu.recording()) {
    gpu.spoil_recording();
    return cudaErrorStreamCaptureUnsupported;
  }
  gpu.put(stream, work);
  gpu.finish(stream);
  return cudaSuccess;
}

}  // namespace

extern "C" {

// ---- the GPU ------------------------------------------------------------------------------------------

cudaError_t cudaDriverGetVersion(int* version) {
  return call("cudaDriverGetVersion", [&](Gpu&) { return *version = CUDART_VERSION, cudaSuccess; });
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  return call("cudaRuntimeGetVersion", [&](Gpu&) { return *version = CUDART_VERSION, cudaSuccess; });
}
cudaError_t cudaGetDeviceCount(int* count) {
  return call("cudaGetDeviceCount",
              [&](Gpu& gpu) { return *count = static_cast<int>(gpu.buses().size()), cudaSuccess; });
}
cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", [&](Gpu& gpu) {
    const bool there = device >= 0 && device < static_cast<int>(gpu.buses().size());
    return there ? cudaSuccess : cudaErrorInvalidDevice;
  });
}
cudaError_t cudaSetDeviceFlags(unsigned) {
  return call("cudaSetDeviceFlags", [&](Gpu&) { return cudaSuccess; });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call("cudaGetDeviceProperties", [&](Gpu& gpu) {
    if (device < 0 || device >= static_cast<int>(gpu.buses().size())) return cudaErrorInvalidDevice;
    *properties = {};
    std::strcpy(properties->name, "stand-in for an H200 (no GPU)");
    properties->major = 9;
    properties->minor = 0;
    properties->multiProcessorCount = 132;
    properties->totalGlobalMem = Gpu::kMemory;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  return call("cudaDeviceGetAttribute", [&](Gpu& gpu) {
    *value = 0;
    if (which != cudaDevAttrPciBusId) return cudaErrorInvalidValue;
    *value = gpu.buses().at(static_cast<size_t>(device));
    return cudaSuccess;
  });
}
cudaError_t cudaGetLastError() {
  const cudaError_t last = std::exchange(last_error, cudaSuccess), fault = Gpu::the_one().fault();
  return fault != cudaSuccess ? fault : last;
}
cudaError_t cudaPeekAtLastError() {
  const cudaError_t fault = Gpu::the_one().fault();
  return fault != cudaSuccess ? fault : last_error;
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorStreamCaptureIsolation:
      return "cudaErrorStreamCaptureIsolation";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    default:
      return "an error of the stand-in GPU";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

// ---- memory --------------------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** data, size_t bytes) {
  return unrecorded("cudaMalloc", [&](Gpu& gpu) {
    *data = gpu.allocate(bytes);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
cudaError_t cudaMallocManaged(void** data, size_t bytes, unsigned) {
  return unrecorded("cudaMallocManaged", [&](Gpu& gpu) {
    *data = gpu.allocate_host(bytes);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  return unrecorded("cudaMallocHost", [&](Gpu& gpu) {
    *data = gpu.allocate_host(bytes);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
/// Waits for all work, as CUDA's does.
cudaError_t cudaFree(void* data) {
  return unrecorded("cudaFree", [&](Gpu& gpu) {
    if (!data) return cudaSuccess;
    finish_quietly(gpu);
    gpu.is_on_gpu(data) ? gpu.free(data) : gpu.free_host(data);
    return cudaSuccess;
  });
}
cudaError_t cudaFreeHost(void* data) {
  return unrecorded("cudaFreeHost", [&](Gpu& gpu) {
    if (!data) return cudaSuccess;
    finish_quietly(gpu);
    gpu.free_host(data);
    return cudaSuccess;
  });
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call("cudaMemGetInfo", [&](Gpu& gpu) {
    *free = gpu.free_bytes();
    *total = Gpu::kMemory;
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return call("cudaMemcpyAsync", [&](Gpu& gpu) {
    require(kind == cudaMemcpyDefault, "the stand-in GPU: a copy tells its direction by its addresses");
    return copy(gpu, to, from, bytes, stream);
  });
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [&](Gpu& gpu) {
    gpu.require_piece(data, bytes, "cudaMemsetAsync");
    gpu.put(stream, [=] { std::memset(data, value, bytes); });
    return cudaSuccess;
  });
}

// ---- streams and events --------------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call("cudaStreamCreateWithFlags", [&](Gpu& gpu) {
    require(flags == cudaStreamNonBlocking, "the stand-in GPU has no default stream");
    *stream = reinterpret_cast<cudaStream_t>(new char);
    gpu.add(*stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", [&](Gpu& gpu) {
    finish_quietly(gpu);
    gpu.remove(stream);
    delete reinterpret_cast<char*>(stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return unrecorded("cudaStreamSynchronize", [&](Gpu& gpu) { return gpu.finish(stream), cudaSuccess; });
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return call("cudaLaunchHostFunc", [&](Gpu& gpu) {
    gpu.put(stream, [=] { function(data); });
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call("cudaEventCreateWithFlags", [&](Gpu&) {
    *event = new CUevent_st{nullptr, !(flags & cudaEventDisableTiming)};
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", [&](Gpu&) { return delete event, cudaSuccess; });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", [&](Gpu& gpu) {
    // Not needed in a recording so far: it would be a node of the graph.
    if (gpu.recording(stream)) return gpu.spoil_recording(), cudaErrorStreamCaptureUnsupported;
    event->mark = gpu.put_mark(stream);
    return cudaSuccess;
  });
}
/// A wait for an event that nobody has recorded is none.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return call("cudaStreamWaitEvent", [&](Gpu& gpu) {
    if (gpu.recording(stream)) return gpu.spoil_recording(), cudaErrorStreamCaptureIsolation;
    if (event->mark) gpu.put_wait(stream, event->mark);
    return cudaSuccess;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return unrecorded("cudaEventSynchronize", [&](Gpu& gpu) {
    if (event->mark) gpu.finish(*event->mark);
    return cudaSuccess;
  });
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  return call("cudaEventElapsedTime", [&](Gpu&) {
    if (!begin->mark || !end->mark || !begin->keeps_time || !end->keeps_time)
      return cudaErrorInvalidResourceHandle;
    if (!begin->mark->reached || !end->mark->reached) return cudaErrorNotReady;
    *milliseconds = static_cast<float>(1e3 * (end->mark->seconds - begin->mark->seconds));
    return cudaSuccess;
  });
}

// ---- recorded graphs -----------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return call("cudaStreamBeginCapture", [&](Gpu& gpu) {
    require(mode == cudaStreamCaptureModeThreadLocal, "the stand-in GPU records for one thread");
    if (gpu.recording()) return cudaErrorIllegalState;
    gpu.begin_recording(stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", [&](Gpu& gpu) {
    *graph = nullptr;
    if (!gpu.recording(stream)) return cudaErrorIllegalState;
    auto recorded = gpu.end_recording();
    if (!recorded) return cudaErrorStreamCaptureInvalidated;
    *graph = new CUgraph_st{std::move(*recorded)};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call("cudaGraphInstantiate", [&](Gpu&) {
    *executable = new CUgraphExec_st{graph->recorded};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call("cudaGraphDestroy", [&](Gpu&) { return delete graph, cudaSuccess; });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return call("cudaGraphLaunch", [&](Gpu& gpu) {
    for (const auto& check : executable->recorded.checks) check();
    for (const auto& work : executable->recorded.work) gpu.put(stream, work);
    return cudaSuccess;
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call("cudaGraphExecDestroy", [&](Gpu&) { return delete executable, cudaSuccess; });
}

}  // extern "C"
