#include "standin/gpu.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "core/error.h"
#include "emulation/grid.h"

namespace laban::standin {
namespace {

constexpr size_t kAlignment = 512;  // what cudaMalloc gives

/// The emulation's kernels, zeros and copies go on the GPU's streams.
struct GpuStreams : emulation::Streams {
  void put(void* stream, Work work) override {
    Gpu::the_one().put(static_cast<CUstream_st*>(stream), std::move(work));
  }
  void look_at(std::span<const std::byte> argument) override {
    Gpu::the_one().require_kernel_may_have(argument);
  }
};

Schedule schedule_from_environment() {
  const char* name = std::getenv("LABAN_STANDIN_SCHEDULE");
  if (!name || std::string_view(name) == "late") return Schedule::late;
  if (std::string_view(name) == "early") return Schedule::early;
  if (std::string_view(name) == "random") return Schedule::random;
  throw Error(text("LABAN_STANDIN_SCHEDULE is ", name), "It is early, late or random.");
}

/// Whether an address of this process can be read.
bool is_mapped(uintptr_t address) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return msync(reinterpret_cast<void*>(address / page * page), 1, MS_ASYNC) == 0;
}

size_t rounded_up(size_t bytes, size_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }
const size_t kPage = static_cast<size_t>(sysconf(_SC_PAGESIZE));

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Gpu& Gpu::the_one() {
  static Gpu gpu;  // CUDA's calls bring no object with them
  return gpu;
}

Gpu::Gpu() : schedule_(schedule_from_environment()), rng_(1, Purpose::test) {
  void* const at = mmap(nullptr, kMemory, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(at != MAP_FAILED, "the stand-in GPU: no addresses for its memory");
  memory_ = static_cast<std::byte*>(at);
  static GpuStreams streams;
  emulation::streams = &streams;
}

cudaError_t Gpu::begin_call(const char* call) {
  ++calls_[call];
  if (fault_ != cudaSuccess) return fault_;
  const auto at = failures_.find(call);
  if (at == failures_.end()) return cudaSuccess;
  const cudaError_t status = at->second;
  failures_.erase(at);
  if (status == cudaErrorIllegalAddress || status == cudaErrorLaunchFailure) fault_ = status;
  return status;
}

// ---- memory --------------------------------------------------------------------------------------------

void* Gpu::allocate(size_t bytes) {
  // First fit; one unused piece between two allocations, for whoever runs over the end of his.
  const size_t wanted = rounded_up(bytes, kAlignment) + kAlignment;
  size_t begin = 0;
  for (const auto& [at, size] : on_gpu_) {
    if (at - begin >= wanted) break;
    begin = at + rounded_up(size, kAlignment) + kAlignment;
  }
  if (begin + wanted > kMemory) return nullptr;
  on_gpu_[begin] = bytes;
  used_ += wanted;
  std::byte* const first_page = memory_ + begin / kPage * kPage;
  const size_t pages = rounded_up(begin % kPage + bytes, kPage);
  mprotect(first_page, pages, PROT_READ | PROT_WRITE);
  std::memset(memory_ + begin, 0xFF, bytes);
  mprotect(first_page, pages, PROT_NONE);
  return memory_ + begin;
}

void Gpu::free(void* data) {
  const auto at = on_gpu_.find(static_cast<size_t>(static_cast<std::byte*>(data) - memory_));
  require(at != on_gpu_.end(), "cudaFree: not a beginning of memory of the GPU");
  used_ -= rounded_up(at->second, kAlignment) + kAlignment;
  const size_t first = rounded_up(at->first, kPage), last = (at->first + at->second) / kPage * kPage;
  if (first < last) madvise(memory_ + first, last - first, MADV_DONTNEED);
  on_gpu_.erase(at);
}

void* Gpu::allocate_host(size_t bytes) {
  void* const data = std::aligned_alloc(kAlignment, rounded_up(bytes, kAlignment));
  if (!data) return nullptr;
  std::memset(data, 0xFF, bytes);
  on_host_[static_cast<std::byte*>(data)] = bytes;
  return data;
}

void Gpu::free_host(void* data) {
  require(on_host_.erase(static_cast<std::byte*>(data)) == 1, "not a beginning of page-locked memory");
  std::free(data);
}

bool Gpu::is_on_gpu(const void* data) const {
  const auto* at = static_cast<const std::byte*>(data);
  return at >= memory_ && at < memory_ + kMemory;
}

std::optional<Gpu::Allocation> Gpu::allocation(const void* data) const {
  const auto* const at = static_cast<const std::byte*>(data);
  if (is_on_gpu(data)) {
    auto next = on_gpu_.upper_bound(static_cast<size_t>(at - memory_));
    if (next == on_gpu_.begin()) return std::nullopt;
    --next;
    const Allocation found{memory_ + next->first, next->second};
    return at < found.begin + std::max<size_t>(found.bytes, 1) ? std::optional(found) : std::nullopt;
  }
  auto next = on_host_.upper_bound(at);
  if (next == on_host_.begin()) return std::nullopt;
  --next;
  if (at >= next->first + next->second) return std::nullopt;
  return Allocation{next->first, next->second};
}

void Gpu::require_piece(const void* data, size_t bytes, const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (recording_here()) recorded_->checks.push_back([=, this] { require_piece(data, bytes, what); });
  const std::optional<Allocation> found = allocation(data);
  if (!found) throw Error(text(what, ": ", data, " is no memory of the GPU"));
  const auto left = static_cast<size_t>(found->begin + found->bytes - static_cast<const std::byte*>(data));
  if (bytes > left)
    throw Error(text(what, ": ", bytes, " bytes at ", data, ", whose allocation has ", left, " left"));
}

void Gpu::require_kernel_may_have(std::span<const std::byte> argument) {
  const std::lock_guard lock(mutex_);
  if (recording_here()) {
    recorded_->checks.push_back(
        [this, kept = std::vector(argument.begin(), argument.end())] { require_kernel_may_have(kept); });
  }
  for (size_t i = 0; i + sizeof(uintptr_t) <= argument.size(); i += sizeof(uintptr_t)) {
    uintptr_t word = 0;
    std::memcpy(&word, argument.data() + i, sizeof word);
    // No program has anything below 4 GiB here; above, two numbers side by side seldom are an address.
    const auto* const address = reinterpret_cast<const std::byte*>(word);
    if (word >> 32 == 0 || is_reachable(address)) continue;
    const auto place = [&] { return text(", in bytes ", i, " to ", i + 7, " of an argument"); };
    if (is_on_gpu(address)) {
      if (is_reachable(address - 1)) continue;  // the end of an allocation
      throw Error("a kernel was given memory of the GPU that nobody has allocated" + place());
    }
    if (is_mapped(word)) throw Error("a kernel was given an address of the host's memory" + place());
  }
}

// ---- streams -------------------------------------------------------------------------------------------

Gpu::Unlocked::Unlocked(Gpu& gpu) : gpu_(gpu) {
  if (gpu_.running_++ == 0) mprotect(gpu_.memory_, kMemory, PROT_READ | PROT_WRITE);
}
Gpu::Unlocked::~Unlocked() {
  if (--gpu_.running_ == 0) mprotect(gpu_.memory_, kMemory, PROT_NONE);
}

void Gpu::add(CUstream_st* stream) { streams_[stream]; }
void Gpu::remove(CUstream_st* stream) { streams_.erase(stream); }

std::deque<Item>& Gpu::items(CUstream_st* stream) {
  const auto at = streams_.find(stream);
  if (at == streams_.end()) throw Error("work was put on a stream that does not exist");
  return at->second.items;
}

void Gpu::put(CUstream_st* stream, Work work) {
  const std::lock_guard lock(mutex_);
  if (recording(stream)) {
    recorded_->work.push_back(std::move(work));
    return;
  }
  items(stream).push_back({std::move(work), nullptr, nullptr});
  run_some();
}

std::shared_ptr<Mark> Gpu::put_mark(CUstream_st* stream) {
  auto mark = std::make_shared<Mark>();
  mark->stream = stream;
  items(stream).push_back({nullptr, mark, nullptr});
  run_some();
  return mark;
}

void Gpu::put_wait(CUstream_st* stream, std::shared_ptr<Mark> mark) {
  items(stream).push_back({nullptr, nullptr, std::move(mark)});
  run_some();
}

void Gpu::run_front(CUstream_st* stream) {
  const Item item = std::move(items(stream).front());
  items(stream).pop_front();
  if (item.wait) return finish(*item.wait);
  if (item.mark) {
    item.mark->reached = true;
    item.mark->seconds = now();
    return;
  }
  const Unlocked unlocked(*this);
  item.work();
}

/// What the schedule runs when something has been put on a stream.
void Gpu::run_some() {
  if (running_ > 0 || schedule_ == Schedule::late) return;
  if (schedule_ == Schedule::early) return finish_all();
  for (auto& [stream, queue] : streams_) {
    if (rng_.coin(0.25)) queue.quick = !queue.quick;
    if (queue.quick) finish(stream);
  }
}

void Gpu::finish(CUstream_st* stream) {
  if (items(stream).empty()) return;
  const Unlocked unlocked(*this);
  while (!items(stream).empty()) run_front(stream);
}
void Gpu::finish(const Mark& mark) {
  const Unlocked unlocked(*this);
  while (!mark.reached) {
    require(!items(mark.stream).empty(), "a stream waits for a mark that will not come");
    run_front(mark.stream);
  }
}
void Gpu::finish_all() {
  const Unlocked unlocked(*this);
  for (const auto& [stream, queue] : streams_)
    while (!queue.items.empty()) run_front(stream);
}

// ---- recording -----------------------------------------------------------------------------------------

void Gpu::begin_recording(CUstream_st* stream) {
  recording_stream_ = stream;
  recording_thread_ = std::this_thread::get_id();
  recorded_.emplace();
  spoiled_ = false;
}

std::optional<Recorded> Gpu::end_recording() {
  std::optional<Recorded> result = std::exchange(recorded_, std::nullopt);
  recording_stream_ = nullptr;
  if (spoiled_) return std::nullopt;
  return result;
}

}  // namespace laban::standin
