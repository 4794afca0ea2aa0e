#include "cpu/parallel.h"

#include "core/error.h"
#include "core/processors.h"

namespace laban::cpu {

int granted_threads(int threads) {
  if (omp_in_parallel() || omp_get_max_active_levels() < 1) return 1;
  return std::min(threads, omp_get_thread_limit());
}

int default_threads() { return granted_threads(std::min(omp_get_max_threads(), available_processors())); }

void require_granted(int threads) {
  if (const int granted = granted_threads(threads); granted < threads)
    throw Error(text("OpenMP grants ", granted, " of the ", threads,
                     " threads that the convolutions were prepared for"),
                "Do not lower its limits while a backend is in use.");
}

}  // namespace laban::cpu
