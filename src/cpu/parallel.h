// How work is shared among threads: always the same way.
//
// Work is cut into one part per thread, by arithmetic alone, and every reduction adds the parts up in their
// order. Nothing depends on which thread is quicker, so that results are bit for bit the same for a given
// number of threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

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

/// Calls body(part) for each part of 0..parts-1, in as many threads. The body must not throw.
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

/// For its lifetime, libraries that ask OpenMP how many threads to use (oneDNN) are told `threads`. OpenMP
/// keeps that number per calling thread, so a backend may be made in one thread and used in another.
class ThreadCountScope {
 public:
  explicit ThreadCountScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadCountScope() { omp_set_num_threads(before_); }
  ThreadCountScope(const ThreadCountScope&) = delete;
  ThreadCountScope& operator=(const ThreadCountScope&) = delete;

 private:
  int before_;
};

}  // namespace laban::cpu
