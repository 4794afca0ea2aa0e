// The NAL units of an H.264 or HEVC packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace laban {

/// Calls `unit` with the bytes of each NAL unit, starting at its header (after a start code: to the packet's
/// end). `length_size` is the size of the length field before each, 1 to 4; 0 if they are separated by start
/// codes (Annex B). False if the packet is malformed.
template <class Unit>
bool for_each_nal_unit(std::span<const uint8_t> packet, int length_size, const Unit& unit) {
  if (length_size == 0) {
    for (size_t i = 0; i + 3 < packet.size(); ++i)
      if (packet[i] == 0 && packet[i + 1] == 0 && packet[i + 2] == 1) unit(packet.subspan(i + 3));
    return true;
  }
  const auto field = static_cast<size_t>(length_size);
  for (size_t at = 0; at < packet.size();) {
    if (packet.size() - at < field) return false;
    size_t length = 0;
    for (size_t i = 0; i < field; ++i) length = length << 8 | packet[at + i];
    at += field;
    if (length == 0 || length > packet.size() - at) return false;
    unit(packet.subspan(at, length));
    at += length;
  }
  return true;
}

}  // namespace laban
