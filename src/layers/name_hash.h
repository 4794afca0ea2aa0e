// A name's random stream.
#pragma once

#include <cstdint>
#include <string_view>

namespace laban {

/// FNV-1a, 64 bits.
constexpr uint64_t name_hash(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace laban
