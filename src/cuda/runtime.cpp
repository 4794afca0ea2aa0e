#include "cuda/runtime.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/check.h"

namespace laban::cuda {
namespace {

double gib(size_t bytes) { return std::round(static_cast<double>(bytes) / (1024.0 * 1024 * 1024) * 10) / 10; }

/// "12.4" for 12040.
std::string version(int number) { return text(number / 1000, '.', number % 1000 / 10); }

class DeviceMemory : public Memory {
 public:
  explicit DeviceMemory(size_t bytes) : bytes_(bytes) {
    const cudaError_t status = cudaMalloc(&data_, std::max<size_t>(bytes, 1));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // else the next launch would report it again
      throw Error(text("not enough GPU memory: ", gib(bytes), " GiB more are needed, ",
                       gib(free_device_bytes()), " GiB are free"),
                  "Use a smaller --batch, fewer --frames or a smaller --size; nvidia-smi shows who else uses "
                  "the GPU.");
    }
    check(status, "cudaMalloc", bytes, " bytes");
  }
  ~DeviceMemory() override { cudaFree(data_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* data() override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

class ManagedMemory : public Memory {
 public:
  explicit ManagedMemory(size_t bytes) : bytes_(bytes) {
    check(cudaMallocManaged(&data_, std::max<size_t>(bytes, 1)), "cudaMallocManaged", bytes, " bytes");
  }
  ~ManagedMemory() override { cudaFree(data_); }
  ManagedMemory(const ManagedMemory&) = delete;
  ManagedMemory& operator=(const ManagedMemory&) = delete;

  void* data() override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

class PinnedMemory : public Memory {
 public:
  explicit PinnedMemory(size_t bytes) : bytes_(bytes) {
    check(cudaMallocHost(&data_, std::max<size_t>(bytes, 1)), "cudaMallocHost", bytes, " bytes");
  }
  ~PinnedMemory() override { cudaFreeHost(data_); }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  void* data() override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

class Graph : public Recording {
 public:
  Graph(Stream stream, cudaGraphExec_t executable) : stream_(stream), executable_(executable) {}
  ~Graph() override { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void replay() override { check(cudaGraphLaunch(executable_, stream_), "cudaGraphLaunch"); }

 private:
  Stream stream_;
  cudaGraphExec_t executable_;
};

/// Why cudaGetDeviceCount() found nothing, for a person.
[[noreturn]] void explain_missing_device(cudaError_t status, int driver, int runtime) {
  // Without any driver the runtime says "insufficient", too.
  if (driver > 0 && (status == cudaErrorInsufficientDriver || driver / 1000 < runtime / 1000))
    throw Error(text("--device cuda: the NVIDIA driver is too old (it knows CUDA ", version(driver),
                     ", this laban was built with ", version(runtime), ")"),
                "Install a newer driver, or use --device cpu.");
  if (status == cudaErrorNoDevice || status == cudaErrorStubLibrary || driver == 0)
    throw Error(text("--device cuda: no NVIDIA ", driver == 0 ? "driver" : "GPU", " found"),
                "nvidia-smi should list the GPU. Without one, use --device cpu.");
  throw Error(
      text("--device cuda: the driver cannot be asked for its GPUs (", cudaGetErrorString(status), ")"),
      "nvidia-smi should list the GPU; in a container, it must be passed in.");
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, device) == cudaSuccess ? value : 0;
}

/// CUDA's numbers of its GPUs in the order of nvidia-smi, that of the buses; CUDA's own puts the fastest first.
std::vector<int> gpus_in_order(int count) {
  std::vector<std::array<int, 4>> places;
  for (int gpu = 0; gpu < count; ++gpu)
    places.push_back({attribute(cudaDevAttrPciDomainId, gpu), attribute(cudaDevAttrPciBusId, gpu),
                      attribute(cudaDevAttrPciDeviceId, gpu), gpu});
  std::ranges::sort(places);
  std::vector<int> order;
  for (const auto& place : places) order.push_back(place.back());
  return order;
}

}  // namespace

DeviceInfo open_device(int number) {
  int count = 0, driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    cudaGetLastError();
    explain_missing_device(status, driver, runtime);
  }
  if (number < 0 || number >= count)
    throw Error(text("--device cuda: there is no GPU number ", number, "; this machine has ", count),
                text("Numbers go from 0 to ", count - 1, ", in the order of nvidia-smi."));
  const int index = gpus_in_order(count)[static_cast<size_t>(number)];
  check(cudaSetDevice(index), "cudaSetDevice", "GPU ", index);
  // The host waits once a step, for milliseconds: a processor that spins meanwhile is one that does not
  // decode.
  check(cudaSetDeviceFlags(cudaDeviceScheduleBlockingSync), "cudaSetDeviceFlags");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties", "GPU ", index);
  DeviceInfo info;
  info.index = index;
  info.name = properties.name;
  info.major = properties.major;
  info.minor = properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.memory_bytes = properties.totalGlobalMem;
  info.driver_version = driver;
  info.runtime_version = runtime;
  info.clock_ghz = attribute(cudaDevAttrClockRate, index) * 1e-6;
  info.memory_clock_ghz = attribute(cudaDevAttrMemoryClockRate, index) * 1e-6;
  info.memory_bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth, index);
  return info;
}

void use_device(int index) { check(cudaSetDevice(index), "cudaSetDevice", "GPU ", index); }

StreamOwner::StreamOwner() {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
}
StreamOwner::~StreamOwner() { cudaStreamDestroy(stream_); }
void StreamOwner::synchronize() const { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

Event::Event() {
  check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
}
Event::~Event() { cudaEventDestroy(event_); }
void Event::record(Stream stream) { check(cudaEventRecord(event_, stream), "cudaEventRecord"); }
void Event::make_wait(Stream stream) const {
  check(cudaStreamWaitEvent(stream, event_, 0), "cudaStreamWaitEvent");
}

void Event::synchronize() const { check(cudaEventSynchronize(event_), "cudaEventSynchronize"); }

std::unique_ptr<Memory> allocate_device(size_t bytes) { return std::make_unique<DeviceMemory>(bytes); }
std::unique_ptr<Memory> allocate_managed(size_t bytes) { return std::make_unique<ManagedMemory>(bytes); }
std::unique_ptr<Memory> allocate_pinned(size_t bytes) { return std::make_unique<PinnedMemory>(bytes); }

size_t free_device_bytes() {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return free;
}

std::unique_ptr<Recording> record_graph(Stream stream, const std::function<void()>& body) {
  // Thread-local: a loader thread that allocates meanwhile must not spoil the recording.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  const auto end = [&] {
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(stream, &graph);
    return std::pair(status, graph);
  };
  try {
    body();
  } catch (...) {
    if (const auto [status, graph] = end(); graph) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  const auto [status, graph] = end();
  if (status != cudaSuccess && graph) cudaGraphDestroy(graph);
  check(status, "cudaStreamEndCapture",
        "an op did something that cannot be recorded; --no-graph works without recording");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t instantiated = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(instantiated, "cudaGraphInstantiate");
  return std::make_unique<Graph>(stream, executable);
}

void copy_to_device(void* to, const void* from, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync", bytes,
        " bytes to the device");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

void SmallUploads::copy(void* to, const void* from, size_t bytes, Stream stream) {
  require(bytes <= kLargest, "SmallUploads::copy: too much for one");
  if (!pinned_) pinned_ = allocate_pinned(2 * kHalf);
  if (used_ + bytes > kHalf) {
    left_[half_].record(stream);
    half_ = 1 - half_;
    left_[half_].synchronize();
    used_ = 0;
  }
  std::byte* const aside = static_cast<std::byte*>(pinned_->data()) + half_ * kHalf + used_;
  std::memcpy(aside, from, bytes);
  begin_copy_to_device(to, aside, bytes, stream);
  used_ += (bytes + 63) / 64 * 64;
}

void copy_to_host(void* to, const void* from, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync", bytes,
        " bytes to the host");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

void begin_copy_to_device(void* to, const void* pinned, size_t bytes, Stream stream) {
  check(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyDefault, stream), "cudaMemcpyAsync", bytes,
        " bytes to the device");
}

}  // namespace laban::cuda
