// A video file as the sequence of packets of its video stream.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/regular_file.h"
#include "data/video/file_input.h"
#include "data/video/libav.h"
#include "data/video/watch.h"

namespace laban {

/// What was learned when the file was first opened, so that opening it again need not probe.
struct StreamSetup {
  int stream = 0;
  av::CodecParameters parameters;
  AVRational time_base{0, 1};  // seconds per tick
  double average_fps = 0;      // according to the container; 0: unknown
  int rotation = 0;            // degrees clockwise, from the display matrix
  bool mirror = false;         // after the rotation
  bool has_matrix = false;
  bool header_suffices = false;            // the container's header alone describes the stream
  bool timestamps_from_container = false;  // every packet's timestamp is stored, none is guessed
  std::string container{};                 // libav's name for it: "mov,mp4,m4a,3gp,3g2,mj2"
  std::string codec{};                     // "h264"
  int64_t declared_frames = 0;             // according to the header; 0: unknown
  double declared_seconds = 0;             // of this stream; 0: unknown
  int64_t packets_beyond_end =
      0;  // MP4: those that the table places past the end of the file (indexing only)
};

class Demuxer {
 public:
  /// Opens the file and selects the first video stream that is not a cover picture. With `known` (from
  /// opening the same file earlier) and a container whose header suffices, nothing is probed. FileError if
  /// this is not a video file: not a regular file, unreadable, no video stream, or none of the containers in
  /// container_kind.h. No other file is opened, whatever this one contains.
  Demuxer(const std::filesystem::path& file, Watch& watch,
          std::shared_ptr<const StreamSetup> known = nullptr);

  const std::filesystem::path& file() const { return file_.path(); }
  const std::shared_ptr<const StreamSetup>& setup() const { return setup_; }
  int64_t bytes() const { return bytes_; }

  /// Reads the stream's next packet; false at the end of the file, or if the rest cannot be read
  /// (read_error() then says why).
  bool read(AVPacket& packet);
  const std::string& read_error() const { return read_error_; }
  /// Goes to the last key frame before a fraction of the stream's duration: the next packet is that, or one before it.
  /// False if the container cannot, or does not know its duration.
  bool seek(double fraction);
  /// The first error that libav logged while opening the file and reading packets, even if it continued;
  /// empty: none.
  const std::string& complaint() const { return complaint_; }

  /// Throws FileError or Canceled if the watch says so.
  void check_watch() const;

 private:
  const AVInputFormat& detect(const std::string& name);
  [[noreturn]] void refuse_other(const AVInputFormat* format, int score, int code) const;
  void open();
  void describe();

  RegularFile file_;
  Watch& watch_;
  FileInput input_bytes_;
  av::InputContext input_;  // reads from the above
  std::shared_ptr<const StreamSetup> setup_;
  int64_t bytes_ = 0;
  std::string read_error_, complaint_;
};

/// Interprets a display matrix (nine numbers, FFmpeg's convention) as one of the eight rotations and
/// reflections; false, with nothing written, if it is none of them.
bool orientation_of(const int32_t* matrix, int& rotation, bool& mirror);

}  // namespace laban
