// The result of one pass over a video file: its packets, and the frames they become.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace laban {

struct StreamSetup;

/// A timestamp that the file does not contain.
constexpr int64_t kNoTime = INT64_MIN;

struct VideoPacket {
  int64_t pts = kNoTime;  // when its picture is shown, in ticks
  int32_t bytes = 0;
  bool key = false;      // marked as a key frame
  bool restart = false;  // decoding may start here: a key frame after which nothing refers to anything before
  bool disposable = false;  // no other picture needs it
  bool hidden = false;      // decoded, but never shown (cut away by an edit list)
};

struct VideoIndex {
  int width = 0, height = 0;  // of the first frame, as stored, cropped
  /// "352x288 to 640x480 at frame 2" if later frames have a different size; each is then scaled from its own.
  std::string size_change{};
  int rotation = 0;                      // degrees clockwise by which a player rotates the picture
  bool mirror = false;                   // horizontal flip, after the rotation
  double fps = 0;                        // mean rate over the whole file
  double tick = 0;                       // seconds of one tick
  std::vector<VideoPacket> packets;      // in the file's order
  std::vector<int32_t> packet_of_frame;  // by frame number; -1 if the decoder did not say
  /// Every displayed packet gave exactly one frame, without any error, all of one size: frames can be found
  /// by their packets.
  bool exact_packets = false;
  bool verified =
      false;  // the whole file was decoded to count (else: the container's own table was believed)
  int decode_errors = 0;            // packets that did not decode, skipped as in any player
  int damaged_frames = 0;           // with parts that the decoder had to conceal
  std::string first_error;          // libav's message for the first of these, if any
  std::string read_error;           // why reading stopped before the end of the file; empty if it did not
  std::string container_complaint;  // libav's first error message about the container; empty: none
  bool ends_damaged = false;        // only the last packet is incomplete
  std::shared_ptr<const StreamSetup> setup;

  int64_t frame_count() const { return static_cast<int64_t>(packet_of_frame.size()); }
  int shown_width() const { return rotation % 180 ? height : width; }
  int shown_height() const { return rotation % 180 ? width : height; }
  /// The packet that gave frame k, or null.
  const VideoPacket* packet_of(int64_t k) const {
    const int32_t packet = packet_of_frame[static_cast<size_t>(k)];
    return packet < 0 ? nullptr : &packets[static_cast<size_t>(packet)];
  }
};

/// The file contains no video, but only sound, for example.
class NoVideoError : public FileError {
 public:
  using FileError::FileError;
};

enum class Trust {
  /// Files of up to kVerifyPackets packets are decoded once to count their frames; in longer ones, the
  /// container's table is trusted if it is complete and consistent. A frame that it promises but that never
  /// appears is then a FileError.
  long_tables,
  nothing,  // decode every file to its end
};
constexpr int64_t kVerifyPackets = 2000;

/// Receives the bytes of every packet of the video stream, in file order: once each with Trust::nothing;
/// otherwise a file that is not trusted is read twice.
using PacketSink = std::function<void(std::span<const uint8_t>)>;

/// FileError if the file is not a video, has no decoder, or yields no frame. If `cancel` is set by another
/// thread, throws Canceled (watch.h).
std::shared_ptr<const VideoIndex> index_video(const std::filesystem::path& file,
                                              Trust trust = Trust::long_tables,
                                              const std::atomic<bool>* cancel = nullptr,
                                              const PacketSink& on_packet = {});

}  // namespace laban
