// CUDA's runtime, as far as laban calls it, on the card that is not there.
#include <cuda_runtime.h>

#include <cstring>
#include <thread>

#include "core/error.h"
#include "standin/card.h"

using laban::Error;
using laban::require;
using laban::text;
using laban::standin::Card;
using laban::standin::Mark;

namespace {

thread_local cudaError_t last_error = cudaSuccess;

/// Every call: one at a time, and its failure is kept for cudaGetLastError().
template <class Body>
cudaError_t call(const char* name, Body&& body) {
  Card& card = Card::the_one();
  const std::lock_guard lock(card.mutex());
  cudaError_t status = card.begin_call(name);
  if (status == cudaSuccess) status = body(card);
  if (status != cudaSuccess) last_error = status;
  return status;
}

/// For what waits or allocates: not while this thread records a stream (cudaStreamCaptureModeThreadLocal).
template <class Body>
cudaError_t unrecorded(const char* name, Body&& body) {
  return call(name, [&](Card& card) {
    if (card.recording_here()) {
      card.spoil_recording();
      return cudaErrorStreamCaptureUnsupported;
    }
    return body(card);
  });
}

/// Where a call that cannot throw (memory is given back in destructors) must run what is left.
void finish_quietly(Card& card) {
  try {
    card.finish_all();
  } catch (const Error& error) {
    std::fprintf(stderr, "the stand-in card: %s\n", error.what());
    std::abort();
  }
}

/// A copy from or to pageable memory waits for the stream and is made at once; others are ordered with it.
cudaError_t copy(Card& card, void* to, const void* from, size_t bytes, cudaStream_t stream) {
  const auto check = [&](const void* data, const char* what) {
    if (card.is_on_card(data) || card.is_reachable(data)) card.require_piece(data, bytes, what);
  };
  check(to, "cudaMemcpyAsync, to");
  check(from, "cudaMemcpyAsync, from");
  const auto work = [to, from, bytes] { std::memmove(to, from, bytes); };
  if (card.is_reachable(to) && card.is_reachable(from)) {
    card.put(stream, work);
    return cudaSuccess;
  }
  if (card.recording()) {
    card.spoil_recording();
    return cudaErrorStreamCaptureUnsupported;
  }
  card.put(stream, work);
  card.finish(stream);
  return cudaSuccess;
}

}  // namespace

extern "C" {

// ---- the card ------------------------------------------------------------------------------------------

cudaError_t cudaDriverGetVersion(int* version) {
  return call("cudaDriverGetVersion", [&](Card&) { return *version = CUDART_VERSION, cudaSuccess; });
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  return call("cudaRuntimeGetVersion", [&](Card&) { return *version = CUDART_VERSION, cudaSuccess; });
}
cudaError_t cudaGetDeviceCount(int* count) {
  return call("cudaGetDeviceCount", [&](Card&) { return *count = 1, cudaSuccess; });
}
cudaError_t cudaSetDevice(int device) {
  return call("cudaSetDevice", [&](Card&) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}
cudaError_t cudaSetDeviceFlags(unsigned) {
  return call("cudaSetDeviceFlags", [&](Card&) { return cudaSuccess; });
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call("cudaGetDeviceProperties", [&](Card&) {
    if (device != 0) return cudaErrorInvalidDevice;
    *properties = {};
    std::strcpy(properties->name, "stand-in for an H200 (no GPU)");
    properties->major = 9;
    properties->minor = 0;
    properties->multiProcessorCount = 132;
    properties->totalGlobalMem = Card::kMemory;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  return call("cudaDeviceGetAttribute", [&](Card&) { return *value = 0, cudaErrorInvalidValue; });
}
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
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
      return "an error of the stand-in card";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

// ---- memory --------------------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** data, size_t bytes) {
  return unrecorded("cudaMalloc", [&](Card& card) {
    *data = card.allocate(bytes);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
cudaError_t cudaMallocManaged(void** data, size_t bytes, unsigned) {
  return unrecorded("cudaMallocManaged", [&](Card& card) {
    *data = card.allocate_host(bytes);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  return unrecorded("cudaMallocHost", [&](Card& card) {
    *data = card.allocate_host(bytes);
    return *data ? cudaSuccess : cudaErrorMemoryAllocation;
  });
}
/// Waits for all work, as CUDA's does.
cudaError_t cudaFree(void* data) {
  return unrecorded("cudaFree", [&](Card& card) {
    if (!data) return cudaSuccess;
    finish_quietly(card);
    card.is_on_card(data) ? card.free(data) : card.free_host(data);
    return cudaSuccess;
  });
}
cudaError_t cudaFreeHost(void* data) {
  return unrecorded("cudaFreeHost", [&](Card& card) {
    if (!data) return cudaSuccess;
    finish_quietly(card);
    card.free_host(data);
    return cudaSuccess;
  });
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call("cudaMemGetInfo", [&](Card& card) {
    *free = card.free_bytes();
    *total = Card::kMemory;
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return call("cudaMemcpyAsync", [&](Card& card) {
    require(kind == cudaMemcpyDefault, "the stand-in card: a copy tells its direction by its addresses");
    return copy(card, to, from, bytes, stream);
  });
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  return call("cudaMemsetAsync", [&](Card& card) {
    card.require_piece(data, bytes, "cudaMemsetAsync");
    card.put(stream, [=] { std::memset(data, value, bytes); });
    return cudaSuccess;
  });
}

// ---- streams and events --------------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return call("cudaStreamCreateWithFlags", [&](Card& card) {
    require(flags == cudaStreamNonBlocking, "the stand-in card has no default stream");
    *stream = reinterpret_cast<cudaStream_t>(new char);
    card.add(*stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return call("cudaStreamDestroy", [&](Card& card) {
    finish_quietly(card);
    card.remove(stream);
    delete reinterpret_cast<char*>(stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return unrecorded("cudaStreamSynchronize", [&](Card& card) { return card.finish(stream), cudaSuccess; });
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return call("cudaLaunchHostFunc", [&](Card& card) {
    card.put(stream, [=] { function(data); });
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return call("cudaEventCreateWithFlags", [&](Card&) {
    *event = new CUevent_st{nullptr, !(flags & cudaEventDisableTiming)};
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return call("cudaEventDestroy", [&](Card&) { return delete event, cudaSuccess; });
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return call("cudaEventRecord", [&](Card& card) {
    // Not needed in a recording so far: it would be a node of the graph.
    if (card.recording(stream)) return card.spoil_recording(), cudaErrorStreamCaptureUnsupported;
    event->mark = card.put_mark(stream);
    return cudaSuccess;
  });
}
/// A wait for an event that nobody has recorded is none.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  return call("cudaStreamWaitEvent", [&](Card& card) {
    if (card.recording(stream)) return card.spoil_recording(), cudaErrorStreamCaptureIsolation;
    if (event->mark) card.put_wait(stream, event->mark);
    return cudaSuccess;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return unrecorded("cudaEventSynchronize", [&](Card& card) {
    if (event->mark) card.finish(*event->mark);
    return cudaSuccess;
  });
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  return call("cudaEventElapsedTime", [&](Card&) {
    if (!begin->mark || !end->mark || !begin->keeps_time || !end->keeps_time)
      return cudaErrorInvalidResourceHandle;
    if (!begin->mark->reached || !end->mark->reached) return cudaErrorNotReady;
    *milliseconds = static_cast<float>(1e3 * (end->mark->seconds - begin->mark->seconds));
    return cudaSuccess;
  });
}

// ---- recorded graphs -----------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return call("cudaStreamBeginCapture", [&](Card& card) {
    require(mode == cudaStreamCaptureModeThreadLocal, "the stand-in card records for one thread");
    if (card.recording()) return cudaErrorIllegalState;
    card.begin_recording(stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return call("cudaStreamEndCapture", [&](Card& card) {
    *graph = nullptr;
    if (!card.recording(stream)) return cudaErrorIllegalState;
    auto recorded = card.end_recording();
    if (!recorded) return cudaErrorStreamCaptureInvalidated;
    *graph = new CUgraph_st{std::move(*recorded)};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return call("cudaGraphInstantiate", [&](Card&) {
    *executable = new CUgraphExec_st{graph->recorded};
    return cudaSuccess;
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return call("cudaGraphDestroy", [&](Card&) { return delete graph, cudaSuccess; });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return call("cudaGraphLaunch", [&](Card& card) {
    for (const auto& check : executable->recorded.checks) check();
    for (const auto& work : executable->recorded.work) card.put(stream, work);
    return cudaSuccess;
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return call("cudaGraphExecDestroy", [&](Card&) { return delete executable, cudaSuccess; });
}

}  // extern "C"
