#include "data/video/hevc_packet.h"

#include <algorithm>
#include <cstddef>

#include "data/video/nal_units.h"

namespace laban {

int hevc_length_size(std::span<const uint8_t> extradata) {
  const bool hvcc = extradata.size() >= 23 && extradata[0] == 1;
  return hvcc ? (extradata[21] & 3) + 1 : 0;
}

HevcPacketKind hevc_packet_kind(std::span<const uint8_t> packet, int length_size) {
  HevcPacketKind kind;
  int slices = 0;
  bool needed = false;
  const bool whole = for_each_nal_unit(packet, length_size, [&](std::span<const uint8_t> unit) {
    if (unit.size() < 2) {
      needed = true;
      return;
    }
    const int type = unit[0] >> 1 & 63, layer = (unit[0] & 1) << 5 | unit[1] >> 3;
    constexpr int kFirstThatIsNoSlice = 32, kDelimiter = 35, kFiller = 38, kHashOfPicture = 40;
    if (type < kFirstThatIsNoSlice) {
      // Even types below 16 are the sub-layer non-reference pictures: TRAIL_N, TSA_N, STSA_N, RADL_N, RASL_N.
      needed = needed || type >= 16 || type % 2 != 0 || layer != 0;
      kind.temporal_layer = std::max(kind.temporal_layer, (unit[1] & 7) - 1);
      ++slices;
    } else if (type != kDelimiter && type != kFiller && type != kHashOfPicture) {
      needed = true;
    }
  });
  kind.unreferenced_in_layer = whole && slices > 0 && !needed;
  return kind;
}

}  // namespace laban
