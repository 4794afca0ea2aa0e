// CRC-32 as used in zip files (polynomial 0xEDB88320, reflected).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace laban {

uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace laban
