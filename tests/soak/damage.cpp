#include "soak/damage.h"

#include <algorithm>
#include <cstddef>

#include "core/error.h"

namespace laban::soak {
namespace {

struct Place {
  size_t begin = 0, end = 0;
  std::string name;
};

/// Where the harm is done. Containers keep their tables at the front or at the end, a small part of the file
/// that chance alone would seldom hit.
Place draw_place(size_t size, Rng& rng) {
  constexpr size_t kFront = 2048, kEnd = 8192;
  switch (rng.integer(0, 3)) {
    case 0:
      return {0, std::min(size, kFront), text("in the first ", kFront, " bytes")};
    case 1:
      return {size - std::min(size, kEnd), size, text("in the last ", kEnd, " bytes")};
    default:
      return {0, size, "anywhere"};
  }
}

/// Small numbers as likely as large ones: 1..2^highest.
int64_t draw_amount(int highest, Rng& rng) {
  const int64_t top = int64_t{1} << rng.integer(0, highest);
  return rng.integer(top / 2 + 1, top);
}

}  // namespace

std::string damage(std::vector<unsigned char>& bytes, Rng& rng) {
  const Place place = draw_place(bytes.size(), rng);
  const auto room = static_cast<int64_t>(place.end - place.begin);
  const int64_t length = std::min(draw_amount(14, rng), std::max<int64_t>(1, room / 2));
  const auto draw_at = [&](int64_t span) {
    return static_cast<std::ptrdiff_t>(place.begin) +
           static_cast<std::ptrdiff_t>(rng.integer(0, std::max<int64_t>(0, room - span)));
  };
  const auto block = bytes.begin() + draw_at(length);
  switch (rng.integer(0, 7)) {
    case 0: {
      const auto kept = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bytes.size()) - 1));
      bytes.resize(kept);
      return text("cut off after ", kept, " bytes");
    }
    case 1: {
      const auto other = bytes.begin() + draw_at(length);
      // Blocks that overlap are swapped where they do not.
      const auto apart = std::min<std::ptrdiff_t>(length, std::abs(other - block));
      std::swap_ranges(block, block + apart, other);
      return text("two blocks of ", apart, " bytes swapped ", place.name);
    }
    case 2:
      std::fill_n(block, length, static_cast<unsigned char>(0));
      return text(length, " bytes of zeros ", place.name);
    case 3:
      std::generate_n(block, length, [&] { return static_cast<unsigned char>(rng.next_u32()); });
      return text(length, " random bytes ", place.name);
    case 4:
      bytes.erase(block, block + length);
      return text(length, " bytes missing ", place.name);
    case 5: {
      const std::vector<unsigned char> copy(block, block + length);
      bytes.insert(block, copy.begin(), copy.end());
      return text(length, " bytes twice ", place.name);
    }
    default: {
      const int64_t bits = draw_amount(8, rng);
      for (int64_t i = 0; i < bits; ++i)
        bytes[static_cast<size_t>(draw_at(1))] ^= static_cast<unsigned char>(1 << rng.integer(0, 7));
      return text(bits, " bits flipped ", place.name);
    }
  }
}

}  // namespace laban::soak
