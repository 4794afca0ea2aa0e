// Counter-based random numbers over Philox (math/philox.h). Every draw is a pure function of (key, counter):
// no state to lose, nothing that depends on the number of threads, and a resumed run continues bit for bit.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "math/philox.h"

namespace laban {

/// What a stream of numbers is for; keeps streams of one seed apart.
enum class Purpose : uint32_t {
  init = 1,
  split,
  shuffle,
  sample,
  augment,
  dropout,
  synth,
  gradcheck,
  test,
  mix,
};

/// Sequential draws from the stream (seed, purpose, a, b). Cheap to make: one per sample, per layer, ...
class Rng {
 public:
  Rng(uint64_t seed, Purpose purpose, uint64_t a = 0, uint64_t b = 0) : key_(seed) {
    // a and b are hashed into the counter's upper 96 bits, so that any two (purpose, a, b) are far apart.
    const PhiloxBlock mixed = philox({static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32),
                                      static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32)},
                                     seed ^ (uint64_t{static_cast<uint32_t>(purpose)} << 32));
    high_ = {mixed[0], mixed[1], mixed[2]};
  }

  uint32_t next_u32() {
    if (used_ == 4) {
      block_ = philox({next_block_++, high_[0], high_[1], high_[2]}, key_);
      used_ = 0;
    }
    return block_[used_++];
  }
  uint64_t next_u64() {
    const uint64_t low = next_u32();
    return low | (uint64_t{next_u32()} << 32);
  }
  /// Uniform in [0, 1) with 53 random bits.
  double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [low, high], both included; without bias (rejection).
  int64_t integer(int64_t low, int64_t high) {
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
    if (range == 0) return static_cast<int64_t>(next_u64());
    const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
    uint64_t draw = next_u64();
    while (draw >= limit) draw = next_u64();
    return static_cast<int64_t>(static_cast<uint64_t>(low) + draw % range);
  }
  bool coin(double probability) { return uniform() < probability; }
  /// Normal(0, 1) by Box-Muller; draws two uniforms a call (no hidden half).
  double normal() {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Fisher-Yates.
  template <class Sequence>
  void shuffle(Sequence& items) {
    for (int64_t i = static_cast<int64_t>(items.size()) - 1; i > 0; --i) {
      using std::swap;
      swap(items[static_cast<size_t>(i)], items[static_cast<size_t>(integer(0, i))]);
    }
  }

 private:
  uint64_t key_;
  std::array<uint32_t, 3> high_{};
  uint32_t next_block_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

}  // namespace laban
