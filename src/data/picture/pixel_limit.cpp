#include "data/picture/pixel_limit.h"

#include <atomic>

namespace laban {
namespace {
std::atomic<int64_t> limit{kMostPixels};
}

int64_t most_pixels() { return limit.load(std::memory_order_relaxed); }
void set_most_pixels(int64_t pixels) { limit.store(pixels, std::memory_order_relaxed); }

}  // namespace laban
