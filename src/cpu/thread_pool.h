// The threads that compute: tiles of work, numbered, go one by one to whichever thread is free.
//
// Work is cut into tiles by shape alone, never by the number of threads, and what a tile computes does not
// depend on who computes it. Partial sums belong to tiles and are added in a fixed order afterwards. So
// results are bit for bit the same for any number of threads, and a thread that is held back (by a decoder,
// by another program) delays one tile and not its share of the whole.
//
// Between two calls workers look out for the next one for some microseconds, then sleep: the hundreds of ops
// of a step follow each other within that time, and whoever else needs the processor gets it when they do not.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace laban::cpu {

/// One thread uses a pool at a time; that thread is worker 0.
///
/// A child of fork() has the memory of the pool and none of its threads. It may neither use nor destroy the
/// pool: it calls exec or _exit, or makes a pool of its own.
class ThreadPool {
 public:
  /// Starts `threads` - 1 threads beside the caller's (at least none). Where the system refuses to start one
  /// (a limit on processes, say), the pool makes do with those it has: see threads() and note().
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// How many there are, the caller's included.
  int threads() const { return static_cast<int>(started_.size()) + 1; }
  /// A sentence where there are fewer than were asked for; else empty.
  std::string note() const;

  /// Calls body(tile, worker) for each tile of 0..tiles-1, in any order, and returns when all calls have
  /// returned. Calls that run at the same time have different workers, in [0, threads()). The body must not
  /// throw. From within a body of this pool, all tiles are computed by the calling worker.
  template <class Body>
  void for_each_tile(int64_t tiles, Body&& body) {
    using Called = std::remove_reference_t<Body>;
    run(
        tiles,
        [](const void* called, int64_t tile, int worker) {
          (*static_cast<Called*>(const_cast<void*>(called)))(tile, worker);
        },
        &body);
  }

 private:
  using Call = void (*)(const void* body, int64_t tile, int worker);

  void run(int64_t tiles, Call call, const void* body);
  void take_tiles(int worker);
  void work(int worker);
  bool enter();
  void leave();
  void close();

  // The job: written by the caller while nobody is inside, read by those who have entered.
  Call call_ = nullptr;
  const void* body_ = nullptr;
  int64_t tiles_ = 0;

  // Each on a cache line of its own: all threads write to next_, sleepers look at epoch_.
  alignas(64) std::atomic<int64_t> next_{0};    // the next tile to be taken
  alignas(64) std::atomic<uint32_t> gate_{0};   // how many workers are inside; flags
  alignas(64) std::atomic<uint32_t> epoch_{0};  // counts the jobs; workers sleep on it
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<bool> stop_{false};

  int spins_ = 0;
  int asked_ = 1;
  std::vector<std::thread> started_;
};

}  // namespace laban::cpu
