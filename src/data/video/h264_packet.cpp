#include "data/video/h264_packet.h"

#include "data/video/nal_units.h"

namespace laban {
namespace {

/// Summarizes the NAL units of one packet.
struct Tally {
  int slices = 0, references = 0, idr_slices = 0;

  void add(uint8_t header) {
    const int reference = (header >> 5) & 3, type = header & 31;
    const bool slice = (type >= 1 && type <= 5) || type >= 19;  // 19..21: auxiliary and extension slices
    if (!slice) {
      // Parameter sets must not be skipped along with their packet.
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
  const bool whole =
      for_each_nal_unit(packet, length_size, [&](std::span<const uint8_t> unit) { tally.add(unit[0]); });
  return whole ? tally.kind() : H264PacketKind{};
}

}  // namespace laban
