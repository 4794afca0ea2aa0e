// CRC-32 as zip files use it (polynomial 0xEDB88320, reflected).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace laban {

uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace laban
