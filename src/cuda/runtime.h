// CUDA's runtime with owners: streams, events, memory, recorded graphs, and the GPU itself.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "core/backend.h"
#include "cuda/kernels/kernels.h"

struct CUevent_st;  // CUDA's names for what its handles point to, so that no header of CUDA is needed here
struct CUgraphExec_st;

namespace laban::cuda {

/// The GPU that a backend computes on.
struct DeviceInfo {
  int index = 0;             // CUDA's own
  std::string name;          // "NVIDIA H200"
  int major = 0, minor = 0;  // compute capability: 9.0 is sm_90
  int multiprocessors = 0;
  size_t memory_bytes = 0;
  int driver_version = 0, runtime_version = 0;  // 13000 is 13.0
  double clock_ghz = 0, memory_clock_ghz = 0;   // 0 where the driver does not say
  int memory_bus_bits = 0;
};

/// Makes a GPU the calling thread's: `number` counts as nvidia-smi does, whatever CUDA_DEVICE_ORDER says (and among
/// CUDA_VISIBLE_DEVICES, if set). Error with one sentence where there is no driver, an old one, no GPU, or none
/// of that number.
DeviceInfo open_device(int number);

/// Makes an opened GPU the calling thread's, by DeviceInfo::index.
void use_device(int index);

/// A queue of work. It never waits for the default stream, nor that for it.
class StreamOwner {
 public:
  StreamOwner();
  ~StreamOwner();
  StreamOwner(const StreamOwner&) = delete;
  StreamOwner& operator=(const StreamOwner&) = delete;

  Stream get() const { return stream_; }
  void synchronize() const;

 private:
  Stream stream_ = nullptr;
};

/// A point in a stream that another stream can wait for.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(Stream stream);
  void make_wait(Stream stream) const;
  /// Waits, on the host, for what was recorded last; not at all where nothing was.
  void synchronize() const;

 private:
  CUevent_st* event_ = nullptr;
};

/// Memory on the GPU. Error with what is free where there is not enough.
std::unique_ptr<Memory> allocate_device(size_t bytes);
/// Memory that both the GPU and the host reach by the same address; pages move to where they are touched.
std::unique_ptr<Memory> allocate_managed(size_t bytes);
/// Memory on the host that the GPU reads by itself (page-locked).
std::unique_ptr<Memory> allocate_pinned(size_t bytes);
/// Free bytes on the GPU.
size_t free_device_bytes();

/// Records what `body` puts on `stream` as a graph. Nothing runs until replay().
std::unique_ptr<Recording> record_graph(Stream stream, const std::function<void()>& body);

/// Small copies that are ordered with the stream's work, by way of page-locked memory: the host may go on
/// using `from` at once, and waits for nothing.
class SmallUploads {
 public:
  static constexpr size_t kLargest = 64 * 1024;  // bytes of one copy

  void copy(void* to, const void* from, size_t bytes, Stream stream);

 private:
  // Two halves in turn: one is written to again only when the copies from it have been made, which lies
  // hundreds of copies back.
  static constexpr size_t kHalf = 8 * kLargest;
  std::unique_ptr<Memory> pinned_;  // of the first copy on
  Event left_[2];
  size_t half_ = 0, used_ = 0;
};

/// Copies that are ordered with the stream's work, and wait for it.
void copy_to_device(void* to, const void* from, size_t bytes, Stream stream);
void copy_to_host(void* to, const void* from, size_t bytes, Stream stream);
/// `pinned` memory, without waiting.
void begin_copy_to_device(void* to, const void* pinned, size_t bytes, Stream stream);

}  // namespace laban::cuda
