// CRC-32 as used in zip files (polynomial 0xEDB88320, reflected).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace laban {

/// Of `bytes` that follow bytes whose CRC-32 is `before`.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t before = 0);

}  // namespace laban
