// Classifies an HEVC packet without decoding it.
#pragma once

#include <cstdint>
#include <span>

namespace laban {

struct HevcPacketKind {
  int temporal_layer = 0;  // of its picture; no picture refers to one in a higher layer
  /// No picture in the same temporal layer refers to it. Pictures in higher layers may, so it may be skipped
  /// only if there is no higher layer.
  bool unreferenced_in_layer = false;
};

/// Size of the length field before each NAL unit: 1, 2 or 4 from an hvcC record, 0 for Annex B start codes.
int hevc_length_size(std::span<const uint8_t> extradata);

/// Reads the headers of a packet's NAL units (ITU-T H.265, 7.3.1.2 and table 7-1). A packet that is not
/// well-formed, or that holds more than one picture's slices (parameter sets, messages that last), is
/// referenced.
HevcPacketKind hevc_packet_kind(std::span<const uint8_t> packet, int length_size);

}  // namespace laban
