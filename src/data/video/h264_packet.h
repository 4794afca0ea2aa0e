// Classifies an H.264 packet without decoding it.
#pragma once

#include <cstdint>
#include <span>

namespace laban {

struct H264PacketKind {
  bool idr = false;         // nothing after it refers to anything before it
  bool disposable = false;  // no picture refers to it (every slice has nal_ref_idc 0), so it may be skipped
};

/// Size of the length field before each NAL unit: 1, 2 or 4 from an avcC record, 0 for Annex B start codes.
int h264_length_size(std::span<const uint8_t> extradata);

/// Reads the headers of a packet's NAL units (ITU-T H.264, 7.3.1). A packet that is not well-formed is
/// neither.
H264PacketKind h264_packet_kind(std::span<const uint8_t> packet, int length_size);

}  // namespace laban
