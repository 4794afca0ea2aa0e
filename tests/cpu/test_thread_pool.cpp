// The pool: every tile once, by any number of threads, with workers that never collide.
#include "cpu/thread_pool.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <new>
#include <numeric>
#include <thread>

#include "cpu/tiles.h"

using namespace laban::cpu;

TEST_CASE("pool: every tile is computed once, by one worker at a time") {
  for (const int threads : {0, 1, 2, 3, 5, 8, 16}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    CHECK(pool.threads() == std::max(threads, 1));
    CHECK(pool.note().empty());
    for (const int64_t tiles : {0, 1, 2, 3, 7, 100, 5000}) {
      std::vector<int> times(static_cast<size_t>(tiles));  // unguarded: ThreadSanitizer would see a collision
      std::vector<int64_t> by_worker(static_cast<size_t>(pool.threads()));
      pool.for_each_tile(tiles, [&](int64_t tile, int worker) {
        ++times[static_cast<size_t>(tile)];
        ++by_worker[static_cast<size_t>(worker)];
      });
      CHECK(std::ranges::count(times, 1) == tiles);
      CHECK(std::accumulate(by_worker.begin(), by_worker.end(), int64_t{0}) == tiles);
    }
  }
}

TEST_CASE("pool: what one call wrote, the next one sees, through thousands of short calls") {
  for (const int threads : {2, 5}) {
    ThreadPool pool(threads);
    std::vector<int64_t> values(64);
    for (int64_t call = 0; call < 20000; ++call)
      pool.for_each_tile(64, [&](int64_t tile, int) {
        // From another tile's place: whoever wrote there in the call before.
        if (call % 2 == 0) values[static_cast<size_t>(tile)] += 1;
        if (call % 2 == 1 && tile % 2 == 0)
          std::swap(values[static_cast<size_t>(tile)], values[static_cast<size_t>(tile + 1)]);
      });
    CHECK(std::ranges::count(values, 10000) == 64);
  }
}

TEST_CASE("pool: calls long apart wake its sleeping workers") {
  ThreadPool pool(3);
  for (int call = 0; call < 20; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> count{0};
    pool.for_each_tile(12, [&](int64_t, int) { ++count; });
    REQUIRE(count == 12);
  }
}

TEST_CASE("pool: all threads take part where there is enough to do") {
  ThreadPool pool(4);
  std::atomic<int> together{0};
  // A tile waits until all four have one: it ends only if four threads compute.
  pool.for_each_tile(4, [&](int64_t, int) {
    ++together;
    while (together < 4) std::this_thread::yield();
  });
  CHECK(together == 4);
}

TEST_CASE("pool: a slow tile does not hold up the others") {
  ThreadPool pool(2);
  std::atomic<int> others{0};
  pool.for_each_tile(100, [&](int64_t tile, int) {
    if (tile == 0)
      while (others < 99) std::this_thread::yield();
    else
      ++others;
  });
  CHECK(others == 99);
}

TEST_CASE("pool: a call from within a body is computed by the worker that makes it") {
  ThreadPool pool(3);
  std::vector<int> wrong(8), inner(8);
  pool.for_each_tile(8, [&](int64_t tile, int worker) {
    pool.for_each_tile(5, [&, tile, worker](int64_t, int nested) {
      wrong[static_cast<size_t>(tile)] += nested != worker;
      ++inner[static_cast<size_t>(tile)];
    });
  });
  CHECK(std::ranges::count(wrong, 0) == 8);
  CHECK(std::ranges::count(inner, 5) == 8);
  // Another pool has workers of its own.
  ThreadPool other(2);
  std::atomic<int> count{0};
  pool.for_each_tile(1, [&](int64_t, int) { other.for_each_tile(6, [&](int64_t, int) { ++count; }); });
  CHECK(count == 6);
}

TEST_CASE("pool: may be made in one thread, used in others, and thrown away unused") {
  ThreadPool pool(3);
  for (int caller = 0; caller < 4; ++caller)
    std::thread([&] {
      std::atomic<int> count{0};
      pool.for_each_tile(50, [&](int64_t, int) { ++count; });
      CHECK(count == 50);
    }).join();
  for (int i = 0; i < 50; ++i) ThreadPool unused(4);
}

#if !defined(__SANITIZE_THREAD__) && \
    !defined(__SANITIZE_ADDRESS__)  // their own threads need the address space
TEST_CASE(
    "pool: where the system starts no more threads, those that there are do the work, and a note says so") {
  // In a child, which may limit itself: no address space for another stack.
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    long pages = 0;
    if (std::FILE* statm = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(statm, "%ld", &pages) != 1) ::_exit(2);
      std::fclose(statm);
    }
    limit.rlim_cur = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE)) + 20'000'000;  // two stacks or so
    ::setrlimit(RLIMIT_AS, &limit);
    if (std::unique_ptr<char[]>(new (std::nothrow) char[100'000'000])) ::_exit(77);  // as under qemu
    int result = 0;
    {
      ThreadPool pool(16);
      std::atomic<int> count{0};
      pool.for_each_tile(100, [&](int64_t, int) { ++count; });
      if (count != 100) result = 3;
      if (pool.threads() >= 16) result = 4;
      if (pool.note().find(" of the 16 threads asked for") == std::string::npos) result = 5;
    }
    ::_exit(result);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    MESSAGE("not tested here: this system does not limit the address space");
  else
    CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("tiles: cover everything once, by shape alone") {
  for (const int64_t count : {0, 1, 7, 8, 9, 1000})
    for (const int64_t length : {1, 3, 8, 2000}) {
      const Tiles tiles{count, length};
      int64_t at = 0;
      for (int64_t tile = 0; tile < tiles.tiles(); ++tile) {
        CHECK(tiles.begin(tile) == at);
        CHECK(tiles.end(tile) > at);
        at = tiles.end(tile);
      }
      CHECK(at == count);
    }
}

TEST_CASE("a pool may end right after its last job") {
  // Its workers are then waking up for that job, or finding it done: they must hear of the end all the same.
  std::atomic<int64_t> calls{0};
  constexpr int kPools = 4000;
  for (int i = 0; i < kPools; ++i) {
    ThreadPool pool(2);
    std::this_thread::sleep_for(std::chrono::microseconds(100));  // the worker sleeps
    pool.for_each_tile(2, [&](int64_t, int) { ++calls; });
    const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(200 * (i % 200));
    while (std::chrono::steady_clock::now() < until) continue;
  }
  CHECK(calls == 2 * kPools);
}
