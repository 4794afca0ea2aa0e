// Philox against the known answers of the Random123 distribution (kat_vectors, philox4x32 10 rounds).
#include <doctest/doctest.h>

#include "core/rng.h"

using namespace laban;

TEST_CASE("philox4x32-10 known answers") {
  CHECK(philox({0, 0, 0, 0}, 0) == PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const uint32_t f = 0xffffffff;
  CHECK(philox({f, f, f, f}, ~uint64_t{0}) == PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822) ==
        PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("streams are reproducible and apart") {
  Rng a(1, Purpose::test, 2, 3), b(1, Purpose::test, 2, 3), c(1, Purpose::test, 3, 2);
  const uint64_t first = a.next_u64();
  CHECK(first == b.next_u64());
  CHECK(first != c.next_u64());
}

TEST_CASE("integer covers its range, both ends included, evenly") {
  Rng rng(5, Purpose::test);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70000; ++i) ++seen[static_cast<size_t>(rng.integer(-3, 3) + 3)];
  for (const int count : seen) CHECK(std::abs(count - 10000) < 500);  // 5 sigma
}
