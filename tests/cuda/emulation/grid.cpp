#include "emulation/grid.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "emulation/emulation.h"
#include "emulation/fiber.h"

namespace laban::emulation {
namespace {

constexpr unsigned kWarp = 32;
constexpr size_t kSharedBytes = 48 * 1024;  // of a block, unless more is asked for in so many words
constexpr std::byte kPoison{0xFF};          // NaN in every float type, far outside as an index

std::string describe(const Place& place) {
  const std::string_view path = place.file_name();
  return text(path.substr(path.rfind('/') + 1), ':', place.line());
}
bool same(const Place& a, const Place& b) {
  return a.line() == b.line() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

/// Thrown through a thread whose launch has failed elsewhere.
struct Abandoned {};

/// One CUDA thread.
struct Thread {
  enum class State { ready, at_barrier, in_warp, ended };

  Extent index;
  unsigned number = 0;  // in the block
  State state = State::ended;
  Place place;                // where it waits
  std::string_view function;  // in_warp: which, with what
  unsigned mask = 0;
  Offer offer;
  Answer answer;
  Fiber* fiber = nullptr;  // where it goes on, once it has waited

  unsigned lane() const { return number % kWarp; }
};

/// Pieces of shared memory of one block, each with its own allocation of its exact size.
class SharedMemory {
 public:
  void clear() { pieces_.clear(); }
  void* piece(const void* key, size_t bytes) {
    std::unique_ptr<Piece>& piece = pieces_[key];
    if (!piece) piece = std::make_unique<Piece>(bytes);
    return piece->data;
  }

 private:
  static constexpr std::align_val_t kAlignment{128};
  struct Piece {
    explicit Piece(size_t bytes) : data(::operator new(bytes, kAlignment)) {
      std::memset(data, static_cast<int>(kPoison), bytes);
    }
    ~Piece() { ::operator delete(data, kAlignment); }
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    void* data;
  };
  std::map<const void*, std::unique_ptr<Piece>> pieces_;
};

class Multiprocessor {
 public:
  ~Multiprocessor() {
    closing_ = true;  // fibers end, so that their stacks are unwound
    for (const auto& fiber : fibers_) fiber->go();
  }

  void run(std::string_view kernel, Extent grid, Extent block, size_t dynamic_bytes,
           const std::function<void()>& body);
  Thread& running() { return *running_; }
  SharedMemory& shared() { return shared_; }
  size_t dynamic_bytes() const { return dynamic_bytes_; }
  /// From inside a thread: lets others run until its state is ready again.
  void wait(Thread::State state, Place place);

 private:
  void run_block();
  /// Runs the warp's threads as far as they get; true where any of them ran.
  bool run_warp(unsigned warp);
  Thread* next();
  void go_to(Thread* thread);
  void run_threads(Fiber& fiber);
  Fiber& idle_fiber();
  bool release_warp(unsigned warp);
  void release_block();
  Answer answer(const Thread& thread, unsigned ballot) const;
  void abandon_all();
  std::string where() const { return text("emulated kernel ", kernel_, ", block ", ::blockIdx, ": "); }
  std::string lanes_of(unsigned warp) const;
  std::vector<unsigned> order(unsigned count);
  void prepare_threads(Extent block);

  std::vector<Thread> threads_;  // of this block
  unsigned count_ = 0;
  Thread* running_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;          // those that no thread waits in
  std::vector<unsigned> lanes_;       // the order of lanes in this block's warps
  unsigned warp_ = 0, turn_ = kWarp;  // whose turn it is, and how many of its lanes have had it
  SharedMemory shared_;
  size_t dynamic_bytes_ = 0;
  std::string_view kernel_;
  const std::function<void()>* body_ = nullptr;
  std::exception_ptr failure_;
  bool abandoning_ = false, closing_ = false;
  uint64_t launches_ = 0;
  std::optional<Rng> rng_;
};

Multiprocessor& multiprocessor() {
  static Multiprocessor the_one;  // a kernel's calls to __syncthreads() bring no object with them
  return the_one;
}

/// 0 .. count-1, shuffled where that is asked for.
std::vector<unsigned> Multiprocessor::order(unsigned count) {
  std::vector<unsigned> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  if (shuffled) rng_->shuffle(numbers);
  return numbers;
}

void Multiprocessor::prepare_threads(Extent block) {
  count_ = block.count();
  require(count_ >= 1 && count_ <= 1024, "a block has 1 to 1024 threads");
  threads_.resize(count_);
  for (unsigned i = 0; i < count_; ++i) {
    threads_[i].number = i;
    threads_[i].index = {i % block.x, i / block.x % block.y, i / block.x / block.y};
  }
}

void Multiprocessor::run(std::string_view kernel, Extent grid, Extent block, size_t dynamic_bytes,
                         const std::function<void()>& body) {
  require(!body_, "a kernel cannot launch a kernel here");
  // The limits of every GPU that laban is built for.
  if (grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffff)
    throw Error(text("emulated kernel ", kernel, ": no GPU takes a grid of ", grid));
  if (dynamic_bytes > kSharedBytes)
    throw Error(
        text("emulated kernel ", kernel, ": ", dynamic_bytes, " bytes of shared memory are too many"));
  kernel_ = kernel;
  dynamic_bytes_ = dynamic_bytes;
  rng_.emplace(launches_++, Purpose::test);
  prepare_threads(block);
  ::gridDim = grid;
  ::blockDim = block;
  body_ = &body;
  try {
    for (const unsigned number : order(grid.count())) {
      ::blockIdx = {number % grid.x, number / grid.x % grid.y, number / grid.x / grid.y};
      run_block();
    }
  } catch (...) {
    abandon_all();
    body_ = nullptr;
    throw;
  }
  body_ = nullptr;
}

void Multiprocessor::run_block() {
  shared_.clear();
  for (unsigned i = 0; i < count_; ++i) threads_[i].state = Thread::State::ready;
  const std::vector<unsigned> warps = order((count_ + kWarp - 1) / kWarp);
  lanes_ = order(kWarp);
  for (;;) {
    for (const unsigned warp : warps)
      while (run_warp(warp) || release_warp(warp)) {
      }
    const auto ended = [](const Thread& t) { return t.state == Thread::State::ended; };
    if (std::all_of(threads_.begin(), threads_.end(), ended)) return;
    release_block();
  }
}

bool Multiprocessor::run_warp(unsigned warp) {
  warp_ = warp;
  turn_ = 0;
  Thread* const first = next();
  if (!first) return false;
  go_to(first);
  if (!failure_) return true;
  const std::string begin = text(where(), "thread ", running_->index, ": ");
  try {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  } catch (const std::exception& e) {
    throw Error(begin + e.what());
  }
}

/// The thread of this warp whose turn it is; null where all have had theirs.
Thread* Multiprocessor::next() {
  while (turn_ < kWarp) {
    const unsigned i = warp_ * kWarp + lanes_[turn_++];
    if (i < count_ && threads_[i].state == Thread::State::ready) return &threads_[i];
  }
  return nullptr;
}

/// Leaves the fiber that runs for that of `thread`, or where there is none for the scheduler.
void Multiprocessor::go_to(Thread* thread) {
  if (!thread) return Fiber::outside().go();
  running_ = thread;
  ::threadIdx = thread->index;
  (thread->fiber ? *thread->fiber : idle_fiber()).go();
}

Fiber& Multiprocessor::idle_fiber() {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>([this, at = fibers_.size()] { run_threads(*fibers_[at]); }));
    idle_.push_back(fibers_.back().get());
  }
  Fiber& fiber = *idle_.back();
  idle_.pop_back();
  return fiber;
}

/// What a fiber does: it runs one thread after another, for as long as each ends without waiting for others.
/// So a kernel that never waits needs one fiber for all of its threads, and no change of stacks between them.
void Multiprocessor::run_threads(Fiber& fiber) {
  while (!closing_) {
    Thread& thread = *running_;
    thread.fiber = &fiber;
    try {
      (*body_)();
    } catch (const Abandoned&) {
    } catch (...) {
      failure_ = std::current_exception();
    }
    thread.state = Thread::State::ended;
    thread.fiber = nullptr;
    Thread* const other = failure_ ? nullptr : next();
    if (other && !other->fiber) {
      running_ = other;
      ::threadIdx = other->index;
    } else {
      idle_.push_back(&fiber);
      go_to(other);
    }
  }
}

void Multiprocessor::wait(Thread::State state, Place place) {
  running_->state = state;
  running_->place = place;
  go_to(next());
  if (abandoning_) throw Abandoned();
}

/// Threads that wait end, one by one.
void Multiprocessor::abandon_all() {
  abandoning_ = true;
  turn_ = kWarp;
  for (Thread& thread : threads_) {
    if (thread.fiber) go_to(&thread);
    thread.state = Thread::State::ended;
  }
  failure_ = nullptr;
  abandoning_ = false;
}

/// Lets a group of lanes go on whose members have all come; true where there was one.
bool Multiprocessor::release_warp(unsigned warp) {
  const unsigned begin = warp * kWarp, end = std::min(begin + kWarp, count_);
  for (unsigned first = begin; first < end; ++first) {
    const Thread& leader = threads_[first];
    if (leader.state != Thread::State::in_warp) continue;
    std::vector<Thread*> group;
    bool all = true;
    for (unsigned i = begin; i < end; ++i) {
      Thread& thread = threads_[i];
      // Lanes that have ended, or that a small block does not have, may be named (CUDA asks for those that
      // live).
      if (!(leader.mask >> thread.lane() & 1) || thread.state == Thread::State::ended) continue;
      const bool here = thread.state == Thread::State::in_warp && thread.mask == leader.mask &&
                        thread.function == leader.function && same(thread.place, leader.place);
      all = all && here;
      group.push_back(&thread);
    }
    if (!all) continue;
    unsigned ballot = 0;
    for (const Thread* thread : group)
      if (thread->offer.value != 0) ballot |= 1u << thread->lane();
    for (Thread* thread : group) thread->answer = answer(*thread, ballot);
    for (Thread* thread : group) thread->state = Thread::State::ready;
    return true;
  }
  return false;
}

/// What `thread` gets from its group, all of whose members wait.
Answer Multiprocessor::answer(const Thread& thread, unsigned ballot) const {
  if (thread.offer.source < 0) return {0, ballot};
  const auto source = static_cast<unsigned>(thread.offer.source);
  const unsigned number = thread.number - thread.lane() + source;
  const bool takes_part =
      (thread.mask >> source & 1) && number < count_ && threads_[number].state == Thread::State::in_warp;
  if (!takes_part)
    throw Error(text(where(), "thread ", thread.index, ": ", thread.function, " at ", describe(thread.place),
                     " reads lane ", source, ", which takes no part"));
  return {threads_[number].offer.value, ballot};
}

void Multiprocessor::release_block() {
  // Nothing in the block can run. It goes on only where all threads wait at one barrier.
  const Thread* first = nullptr;
  unsigned waiting = 0, ended = 0;
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state == Thread::State::in_warp)
      throw Error(text(where(), "thread ", thread.index, " waits in ", thread.function, " at ",
                       describe(thread.place), " for lanes that do not come: ", lanes_of(i / kWarp)));
    if (thread.state == Thread::State::ended) {
      ++ended;
      continue;
    }
    if (first && !same(first->place, thread.place))
      throw Error(text(where(), "thread ", first->index, " waits at the __syncthreads of ",
                       describe(first->place), ", thread ", thread.index, " at that of ",
                       describe(thread.place)));
    if (!first) first = &thread;
    ++waiting;
  }
  if (ended)
    throw Error(text(where(), waiting, " threads wait at the __syncthreads of ", describe(first->place),
                     " (the first is ", first->index, "), ", ended, " have ended without it"));
  for (unsigned i = 0; i < count_; ++i) threads_[i].state = Thread::State::ready;
}

/// Where each lane of a warp is, for an error.
std::string Multiprocessor::lanes_of(unsigned warp) const {
  std::string list;
  for (unsigned i = warp * kWarp; i < std::min(warp * kWarp + kWarp, count_); ++i) {
    const Thread& thread = threads_[i];
    list += text(i % kWarp ? ", " : "", thread.lane(), ' ');
    switch (thread.state) {
      case Thread::State::ended:
        list += "ended";
        break;
      case Thread::State::at_barrier:
        list += "at " + describe(thread.place);
        break;
      case Thread::State::in_warp:
        list += text("in ", thread.function, " at ", describe(thread.place), " with mask ", thread.mask);
        break;
      case Thread::State::ready:
        list += "running";
        break;
    }
  }
  return list;
}

}  // namespace

void run_grid(std::string_view kernel, Extent grid, Extent block, size_t dynamic_bytes,
              const std::function<void()>& thread) {
  multiprocessor().run(kernel, grid, block, dynamic_bytes, thread);
}

void wait_for_block(Place place) { multiprocessor().wait(Thread::State::at_barrier, place); }

Answer meet_warp(std::string_view function, unsigned mask, Offer offer, Place place) {
  Thread& thread = multiprocessor().running();
  if (!(mask >> thread.lane() & 1))
    throw Error(text(function, " at ", describe(place), ": the mask ", mask, " does not name lane ",
                     thread.lane(), " itself"));
  thread.function = function;
  thread.mask = mask;
  thread.offer = offer;
  multiprocessor().wait(Thread::State::in_warp, place);
  return thread.answer;
}

int lane() { return static_cast<int>(multiprocessor().running().lane()); }

void* shared_memory(const void* key, size_t bytes) { return multiprocessor().shared().piece(key, bytes); }

void* dynamic_shared_memory() {
  static const char key = 0;
  return shared_memory(&key, multiprocessor().dynamic_bytes());
}

}  // namespace laban::emulation
