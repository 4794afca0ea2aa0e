#include "data/h264_packet.h"

#include <cstddef>

namespace laban {
namespace {

/// Adds up what the NAL units of one packet say.
struct Tally {
  int slices = 0, references = 0, idr_slices = 0;

  void add(uint8_t header) {
    const int reference = (header >> 5) & 3, type = header & 31;
    const bool slice = (type >= 1 && type <= 5) || type >= 19;  // 19..21: auxiliary and extension slices
    if (!slice) {
      // Parameter sets must not be thrown away with their packet.
      if (type == 7 || type == 8 || type == 13 || type == 15) ++references;
      return;
    }
    ++slices;
    references += reference != 0;
    idr_slices += type == 5;
  }
  H264PacketKind kind() const {
    return {.idr = slices > 0 && idr_slices == slices, .disposable = slices > 0 && references == 0};
  }
};

}  // namespace

int h264_length_size(std::span<const uint8_t> extradata) {
  const bool avcc = extradata.size() >= 7 && extradata[0] == 1;
  return avcc ? (extradata[4] & 3) + 1 : 0;
}

H264PacketKind h264_packet_kind(std::span<const uint8_t> packet, int length_size) {
  Tally tally;
  if (length_size == 0) {
    for (size_t i = 0; i + 3 < packet.size(); ++i)
      if (packet[i] == 0 && packet[i + 1] == 0 && packet[i + 2] == 1) tally.add(packet[i + 3]);
    return tally.kind();
  }
  const size_t field = static_cast<size_t>(length_size);
  size_t at = 0;
  while (at < packet.size()) {
    if (packet.size() - at < field) return {};
    size_t length = 0;
    for (size_t i = 0; i < field; ++i) length = length << 8 | packet[at + i];
    at += field;
    if (length == 0 || length > packet.size() - at) return {};
    tally.add(packet[at]);
    at += length;
  }
  return tally.kind();
}

}  // namespace laban
