// A GPU that is not there: its memory, streams, events and recorded graphs, kept on a machine without a GPU.
//
// The calls of CUDA's runtime (runtime.cpp), cuBLAS (cublas.cpp) and cuDNN (cudnn.cpp) end here, so that the
// whole CudaBackend runs: its kernels by the emulation, its convolutions and products by plain loops. What a
// CPU allows and a GPU does not is forbidden here:
//
//   - Memory of the GPU cannot be touched by the host: it is mapped away while no work runs. What nobody has
//     written yet is 0xFF bytes, NaN in every float type.
//   - Work on a stream runs when it can (Schedule::early), when it must because the host waits for it (late),
//     or now so, now so, each stream by itself (random). A wait that is missing between streams, or a
//     page-locked buffer that is written to again too early, is then an answer that differs from the
//     reference's.
//   - While a stream is recorded nothing that waits or allocates is allowed, nor a copy from pageable memory.
//   - A kernel is not handed addresses of the host's memory or of freed memory, nor a copy or library a piece
//     that leaves its allocation.
//
// Breaches come back as CUDA's own status where it has one for them, else as Error from the call in question.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/rng.h"

/// What CUDA's handles point to, here.
struct CUevent_st;
struct CUgraph_st;
struct CUgraphExec_st;

namespace laban::standin {

using Work = std::function<void()>;

enum class Schedule { early, late, random };

/// A place in a stream.
struct Mark {
  CUstream_st* stream = nullptr;
  bool reached = false;
  double seconds = 0;  // when, on the host's clock
};

/// One entry of a stream: work, or a place, or a wait for one.
struct Item {
  Work work;
  std::shared_ptr<Mark> mark, wait;
};

/// A stream's work, oldest first.
struct Queue {
  std::deque<Item> items;
  bool quick = false;  // Schedule::random: whether it runs all that it can, or nothing that can wait
};

/// What has been recorded.
struct Recorded {
  std::vector<Work> work;
  std::vector<std::function<void()>> checks;  // whether the memory that it works on is still there
};

class Gpu {
 public:
  static constexpr size_t kMemory = size_t{8} << 30;  // bytes

  static Gpu& the_one();

  /// For work that is put on streams from now on.
  void set_schedule(Schedule schedule) { schedule_ = schedule; }
  Schedule schedule() const { return schedule_; }
  /// The next call of this name fails with `status`; so may a test see what a person would.
  void fail_next(std::string call, cudaError_t status) { failures_[std::move(call)] = status; }
  /// After a kernel's fault every call fails, until a test ends this.
  void revive() { fault_ = cudaSuccess; }
  cudaError_t fault() const { return fault_; }
  /// How many GPUs there are, each with the number of its bus; all of them are this one.
  void set_buses(std::vector<int> buses) { buses_ = std::move(buses); }
  const std::vector<int>& buses() const { return buses_; }
  /// How often each call of CUDA's runtime was made so far; launches of kernels are not calls here.
  std::map<std::string, int64_t> calls() const { return calls_; }
  /// What a call begins with: the status that it was told to fail with, else success.
  cudaError_t begin_call(const char* call);

  std::recursive_mutex& mutex() { return mutex_; }

  // ---- memory ----
  void* allocate(size_t bytes);  // null where there is not enough
  void free(void* data);
  size_t free_bytes() const { return kMemory - used_; }
  void* allocate_host(size_t bytes);  // page-locked or managed
  void free_host(void* data);
  bool is_on_gpu(const void* data) const;
  /// In memory that a copy can be ordered with a stream for: the GPU's, managed, or page-locked.
  bool is_reachable(const void* data) const { return allocation(data).has_value(); }
  /// Throws where bytes [data, data + bytes) are not all in one allocation of the GPU's or managed memory.
  void require_piece(const void* data, size_t bytes, const std::string& what);
  /// Throws where one of the words of a kernel's argument is an address of the host's own memory, or of the
  /// GPU's where nobody has any.
  void require_kernel_may_have(std::span<const std::byte> argument);

  // ---- streams ----
  void add(CUstream_st* stream);
  void remove(CUstream_st* stream);  // when its work has been done
  /// Throws Error for a stream that does not exist.
  void put(CUstream_st* stream, Work work);
  std::shared_ptr<Mark> put_mark(CUstream_st* stream);
  void put_wait(CUstream_st* stream, std::shared_ptr<Mark> mark);
  /// Runs what must have run.
  void finish(CUstream_st* stream);
  void finish(const Mark& mark);
  void finish_all();

  // ---- recording: of one stream at a time ----
  bool recording() const { return recorded_.has_value(); }
  bool recording_here() const { return recording() && recording_thread_ == std::this_thread::get_id(); }
  bool recording(CUstream_st* stream) const { return recording() && recording_stream_ == stream; }
  void begin_recording(CUstream_st* stream);
  /// What was recorded; nothing where it was spoiled.
  std::optional<Recorded> end_recording();
  void spoil_recording() { spoiled_ = true; }

 private:
  Gpu();
  /// The GPU's memory can be reached for as long as one of these lives.
  class Unlocked {
   public:
    explicit Unlocked(Gpu& gpu);
    ~Unlocked();
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

   private:
    Gpu& gpu_;
  };
  struct Allocation {
    const std::byte* begin;
    size_t bytes;
  };
  std::optional<Allocation> allocation(const void* data) const;
  std::deque<Item>& items(CUstream_st* stream);
  void run_front(CUstream_st* stream);
  void run_some();

  std::recursive_mutex mutex_;
  Schedule schedule_ = Schedule::late;
  Rng rng_;
  std::byte* memory_ = nullptr;                 // kMemory bytes of addresses
  std::map<size_t, size_t> on_gpu_;             // offset, bytes
  std::map<const std::byte*, size_t> on_host_;  // page-locked and managed
  size_t used_ = 0;
  std::map<CUstream_st*, Queue> streams_;
  int running_ = 0;  // how many Unlocked live
  CUstream_st* recording_stream_ = nullptr;
  std::thread::id recording_thread_;
  std::optional<Recorded> recorded_;
  bool spoiled_ = false;
  std::map<std::string, cudaError_t> failures_;
  cudaError_t fault_ = cudaSuccess;
  std::vector<int> buses_{1};
  std::map<std::string, int64_t> calls_;
};

}  // namespace laban::standin

struct CUevent_st {
  std::shared_ptr<laban::standin::Mark> mark;
  bool keeps_time = true;
};
struct CUgraph_st {
  laban::standin::Recorded recorded;
};
struct CUgraphExec_st {
  laban::standin::Recorded recorded;
};
