// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
// A bijection on 128-bit counters, with a 64-bit key, whose output passes the usual tests of randomness.
// Every draw is a pure function of (key, counter): any thread, on any device, can compute any of them, in any
// order.
#pragma once

#include <cstdint>

#include "math/hd.h"

namespace laban {

/// Four 32-bit words: a counter, or its random bits.
struct PhiloxBlock {
  uint32_t words[4];

  LABAN_HD constexpr uint32_t operator[](int i) const { return words[i]; }
  friend constexpr bool operator==(const PhiloxBlock&, const PhiloxBlock&) = default;
};

/// Ten rounds: 128 random bits for a 128-bit counter under a 64-bit key.
LABAN_HD constexpr PhiloxBlock philox(PhiloxBlock counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * counter.words[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * counter.words[2];
    counter = {{static_cast<uint32_t>(p1 >> 32) ^ counter.words[1] ^ k0, static_cast<uint32_t>(p1),
                static_cast<uint32_t>(p0 >> 32) ^ counter.words[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9u;  // the golden ratio and sqrt(3) - 1, as in the paper
    k1 += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace laban
