#include "core/scratch_cutter.h"

#include <doctest/doctest.h>

#include <vector>

using namespace laban;

TEST_CASE("scratch is cut at multiples of 256 bytes, wherever it begins") {
  CHECK(AlignedCutter<256>::bytes_for({0, 0}) == 0);
  const size_t bytes = AlignedCutter<256>::bytes_for({100, 0, 300});
  std::vector<std::byte> memory(bytes + 64);
  for (const size_t offset : {0, 16, 63}) {
    AlignedCutter<256> cutter(Scratch{memory.data() + offset, bytes});
    auto* first = static_cast<std::byte*>(cutter.take(100));
    CHECK(cutter.take(0) == nullptr);
    auto* second = static_cast<std::byte*>(cutter.take(300));
    CHECK(reinterpret_cast<uintptr_t>(first) % 256 == 0);
    CHECK(reinterpret_cast<uintptr_t>(second) % 256 == 0);
    CHECK(first >= memory.data() + offset);
    CHECK(second >= first + 100);
    CHECK(second + 300 <= memory.data() + offset + bytes);
    CHECK_THROWS(cutter.take(257));  // what is left is less than two lines, wherever the first began
  }
}

TEST_CASE("scratch of 64-byte lines begins with its first piece, as any scratch begins at a line") {
  constexpr size_t kBytes = AlignedCutter<64>::bytes_for({100, 0, 64, 1});
  CHECK(kBytes == 128 + 64 + 64);
  alignas(64) std::byte memory[kBytes];
  AlignedCutter<64> cutter(Scratch{memory, kBytes});
  CHECK(cutter.take(100) == memory);
  CHECK(cutter.take_array<double>(0) == nullptr);
  CHECK(static_cast<void*>(cutter.take_array<float>(16)) == memory + 128);
  CHECK(cutter.take(1) == memory + 192);
  CHECK_THROWS(cutter.take(1));
}
