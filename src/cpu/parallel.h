// How work is shared among threads: always the same way.
//
// Work is cut into one part per thread, by arithmetic alone, and every reduction adds the parts up in their
// order. Nothing depends on which thread is quicker, nor on how many come: OpenMP may grant fewer threads
// than parts, and then some compute several. So results are bit for bit the same for a given number of parts.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>

namespace laban::cpu {

struct Range {
  int64_t begin = 0, end = 0;
  constexpr int64_t size() const { return end - begin; }
};

/// Part `part` of [0, count) cut into `parts`; borders are multiples of `grain` (but for the end).
constexpr Range part_of(int64_t count, int parts, int part, int64_t grain = 1) {
  const int64_t grains = (count + grain - 1) / grain;
  const auto border = [&](int64_t i) { return std::min(count, grains * i / parts * grain); };
  return {border(part), border(part + 1)};
}

/// Calls body(part) for each part of 0..parts-1, in as many threads, or as many as OpenMP grants: a part must
/// not wait for another. The body must not throw.
/// ThreadSanitizer does not see the barriers of OpenMP's runtime and takes everything behind one for a race:
/// under it the parts run one after the other, to the same bits.
template <class Body>
void for_each_part(int parts, Body&& body) {
#if !defined(__SANITIZE_THREAD__)
#pragma omp parallel for num_threads(parts) schedule(static, 1)
#endif
  for (int part = 0; part < parts; ++part) body(part);
}

/// Calls body(range) for each thread's range of [0, count).
template <class Body>
void for_each_range(int threads, int64_t count, Body&& body, int64_t grain = 1) {
  for_each_part(threads, [&](int part) {
    const Range range = part_of(count, threads, part, grain);
    if (range.size() > 0) body(range);
  });
}

/// How many threads OpenMP is sure to grant the calling thread's next parallel region that asks for `threads`
/// (and lets nothing adjust the number, as ThreadCountScope sees to): OMP_THREAD_LIMIT and
/// OMP_MAX_ACTIVE_LEVELS may allow fewer, and within a parallel region there is but one.
int granted_threads(int threads);

/// The threads that CpuBackend takes where nobody names a number: one for each processor that this process
/// may use, fewer where OMP_NUM_THREADS or granted_threads() say so.
int default_threads();

/// Throws Error where the calling thread is granted fewer than `threads`.
void require_granted(int threads);

/// For its lifetime, libraries that ask OpenMP how many threads to use (oneDNN) are told `threads`, and
/// OMP_DYNAMIC does not make them fewer. OpenMP keeps both per calling thread, so a backend may be made in
/// one thread and used in another.
class ThreadCountScope {
 public:
  explicit ThreadCountScope(int threads) : threads_(omp_get_max_threads()), dynamic_(omp_get_dynamic()) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
  }
  ~ThreadCountScope() {
    omp_set_num_threads(threads_);
    omp_set_dynamic(dynamic_);
  }
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;

 private:
  int threads_, dynamic_;
};

/// Calls body() where OpenMP's parallel regions get exactly `threads` threads. oneDNN cuts a primitive's work
/// when the primitive is made, a piece for each thread; run by fewer, it leaves pieces out and says nothing.
/// Where the caller is granted fewer (it is in a parallel region, or has lowered its limits), a thread of its
/// own runs the body. Throws what the body throws, and Error where that thread is granted too few as well.
template <class Body>
void with_team(int threads, Body&& body) {
  const auto run = [&] {
    const ThreadCountScope scope(threads);
    body();
  };
  if (granted_threads(threads) == threads) return run();
  std::exception_ptr failure;
  std::thread([&] {
    try {
      require_granted(threads);
      run();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace laban::cpu
