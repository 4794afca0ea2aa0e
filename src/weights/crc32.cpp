#include "weights/crc32.h"

#include <array>

namespace laban {
namespace {

/// table[k][b]: the remainder of byte b followed by k zero bytes. With eight tables, eight bytes are
/// processed at a time ("slicing by 8"): weight files have hundreds of megabytes.
constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ (remainder & 1 ? 0xedb88320u : 0);
    tables[0][byte] = remainder;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 255];
  return tables;
}();

}  // namespace

uint32_t crc32(std::span<const std::byte> bytes, uint32_t before) {
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  uint32_t remainder = ~before;
  for (; left >= 8; left -= 8, at += 8) {
    uint32_t next = 0;
    for (size_t k = 0; k < 4; ++k) next ^= kTables[7 - k][at[k] ^ ((remainder >> (8 * k)) & 255)];
    for (size_t k = 4; k < 8; ++k) next ^= kTables[7 - k][at[k]];
    remainder = next;
  }
  for (; left > 0; --left, ++at) remainder = (remainder >> 8) ^ kTables[0][(remainder ^ *at) & 255];
  return ~remainder;
}

}  // namespace laban
