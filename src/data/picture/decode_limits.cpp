#include "data/picture/decode_limits.h"

#include <algorithm>
#include <atomic>
#include <ctime>

#include "core/error.h"

namespace laban {
namespace {

std::atomic<int64_t> most_pixels{DecodeLimits{}.pixels}, most_scans{DecodeLimits{}.scans};
std::atomic<double> most_seconds{DecodeLimits{}.seconds};

/// Pictures of up to so many pixels may have all the scans.
constexpr int64_t kSmallPicture = int64_t{1} << 23;

/// ITU-T T.81, B.1.1: 0xff and a code begin a segment, whose length follows but for a few. A scan's own bytes
/// come behind its header: there 0xff is followed by 0, or by one of the codes 0xd0 to 0xd7.
int64_t count_scans(std::span<const uint8_t> bytes) {
  int64_t scans = 0;
  for (size_t at = 2; at + 4 <= bytes.size();) {
    if (bytes[at] != 0xff || bytes[at + 1] == 0xff || bytes[at + 1] == 0 ||
        (bytes[at + 1] >= 0xd0 && bytes[at + 1] <= 0xd7)) {
      ++at;
      continue;
    }
    scans += bytes[at + 1] == 0xda;
    at += 2 + static_cast<size_t>(bytes[at + 2] << 8 | bytes[at + 3]);
  }
  return scans;
}

double seconds_of_thread() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

DecodeLimits decode_limits() {
  return {most_pixels.load(std::memory_order_relaxed), most_scans.load(std::memory_order_relaxed),
          most_seconds.load(std::memory_order_relaxed)};
}

void set_decode_limits(const DecodeLimits& limits) {
  most_pixels.store(limits.pixels, std::memory_order_relaxed);
  most_scans.store(limits.scans, std::memory_order_relaxed);
  most_seconds.store(limits.seconds, std::memory_order_relaxed);
}

void require_few_scans(const std::filesystem::path& file, std::span<const uint8_t> bytes, int width,
                       int height) {
  const int64_t allowed = decode_limits().scans, pixels = std::max<int64_t>(1, int64_t{width} * height);
  const int64_t most = std::min(allowed, std::max<int64_t>(1, allowed * kSmallPicture / pixels));
  if (const int64_t scans = count_scans(bytes); scans > most)
    throw FileError(file.string(),
                    text("is a JPEG picture of ", scans, " scans; more than ", most, " of ", width, "x",
                         height, " pixels are not read"),
                    "Save it again as a plain JPEG, or raise --max-scans.");
}

DecodeTime::DecodeTime() : since_(seconds_of_thread()) {}

void DecodeTime::check(const std::filesystem::path& file) const {
  const double most = decode_limits().seconds;
  if (seconds_of_thread() - since_ > most)
    throw FileError(file.string(), text("takes more than ", most, " s of a processor's time to decode"),
                    "If that is as it should be, raise --max-decode-time.");
}

}  // namespace laban
