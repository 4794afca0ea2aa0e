#include "data/video/frame_rate.h"

#include <algorithm>
#include <cmath>

namespace laban {
namespace {

/// The fraction with the smallest denominator in [low, high], 0 < low < high: continued fractions, one digit
/// of both ends at a time until they part.
double simplest_fraction(double low, double high) {
  double p = 1, q = 0, previous_p = 0, previous_q = 1;  // convergents
  for (int digits = 0; digits < 32; ++digits) {
    const double whole = std::floor(low);
    const bool parts = std::ceil(low) <= high;  // an integer lies between
    const double digit = parts ? std::ceil(low) : whole;
    const double next_p = digit * p + previous_p, next_q = digit * q + previous_q;
    previous_p = p, previous_q = q, p = next_p, q = next_q;
    if (parts) break;
    const double next_low = 1 / (high - whole);
    high = 1 / (low - whole), low = next_low;
  }
  return p / q;
}

}  // namespace

double likely_frame_rate(int64_t frames, int64_t first, int64_t last, double tick, double declared) {
  const double seconds = (static_cast<double>(last) - static_cast<double>(first)) * tick;
  if (frames < 2 || !(seconds > 0)) return declared;
  const double intervals = static_cast<double>(frames - 1), measured = intervals / seconds;
  // With fine ticks, times are rounded by up to half a tick at either end; coarse ticks are exact.
  constexpr double kFine = 2e-3;
  const double doubt = std::max(seconds * 1e-9, tick < kFine ? tick : 0);
  const double low = intervals / (seconds + doubt), high = intervals / (seconds - doubt);
  if (!(seconds > doubt)) return measured;
  if (declared >= low && declared <= high) return declared;
  const double whole = std::round(measured);
  if (whole >= low && whole <= high) return whole;
  return simplest_fraction(low, high);
}

std::vector<double> frame_times(const VideoIndex& video) {
  const int64_t frames = video.frame_count();
  std::vector<double> times;
  times.reserve(static_cast<size_t>(frames));
  int64_t first = 0;
  // Writers round to ticks, and some round to milliseconds before that.
  const double tolerance = std::max(1.01 * video.tick, 1.01e-3);
  bool constant = video.fps > 0;
  for (int64_t k = 0; k < frames; ++k) {
    const VideoPacket* packet = video.packet_of(k);
    if (!packet || packet->pts == kNoTime) return {};
    if (k == 0) first = packet->pts;
    const double seconds = (static_cast<double>(packet->pts) - static_cast<double>(first)) * video.tick;
    if (k > 0 && !(seconds > times.back())) return {};
    constant = constant && std::abs(seconds - static_cast<double>(k) / video.fps) <= tolerance;
    times.push_back(seconds);
  }
  return constant ? std::vector<double>{} : times;
}

}  // namespace laban
