// A video file as a sequence of packets of its one video stream.
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

/// What a first look at a file told, so that opening it again need not probe.
struct StreamSetup {
  int stream = 0;
  av::CodecParameters parameters;
  AVRational time_base{0, 1};  // seconds a tick
  double average_fps = 0;      // as the container says; 0: unknown
  int rotation = 0;            // degrees clockwise, from the display matrix
  bool mirror = false;         // after the rotation
  bool has_matrix = false;
  bool header_suffices = false;            // the container's header alone describes the stream
  bool timestamps_from_container = false;  // every packet's time is stored, none is guessed
  std::string container{};                 // libav's name of it: "mov,mp4,m4a,3gp,3g2,mj2"
  std::string codec{};                     // "h264"
  int64_t declared_frames = 0;             // what the header claims; 0: nothing
  double declared_seconds = 0;             // of this stream; 0: nothing
  int64_t packets_beyond_end = 0;  // of MP4: those that the table places behind the last byte (indexing only)
};

class Demuxer {
 public:
  /// Opens the file and chooses the stream: the first video stream that is no cover picture. With `known` (of
  /// an earlier opening of the same file) and a container whose header suffices, nothing is probed. FileError
  /// where this is no video file: not a regular file, unreadable, no video stream, none of the containers of
  /// container_kind.h. Only this one file is opened, whatever stands in it.
  Demuxer(const std::filesystem::path& file, Watch& watch,
          std::shared_ptr<const StreamSetup> known = nullptr);

  const std::filesystem::path& file() const { return file_.path(); }
  const std::shared_ptr<const StreamSetup>& setup() const { return setup_; }
  int64_t bytes() const { return bytes_; }

  /// The stream's next packet; false at the end of the file, and where the rest cannot be read (read_error()
  /// then says why).
  bool read(AVPacket& packet);
  const std::string& read_error() const { return read_error_; }
  /// The first error that libav logged while it opened the file and read packets, whether or not it went on;
  /// empty: none.
  const std::string& complaint() const { return complaint_; }

  /// FileError or Canceled where the watch says so.
  void check_watch() const;

 private:
  const AVInputFormat& detect(const std::string& name);
  [[noreturn]] void refuse_other(const AVInputFormat* format, int score, int code) const;
  void open();
  void describe();

  RegularFile file_;
  Watch& watch_;
  FileInput input_bytes_;
  av::InputContext input_;  // reads from the one above
  std::shared_ptr<const StreamSetup> setup_;
  int64_t bytes_ = 0;
  std::string read_error_, complaint_;
};

/// Reads a display matrix (nine numbers, FFmpeg's convention) as one of the eight ways to turn and mirror a
/// picture; false, and nothing written, where it is none of them.
bool orientation_of(const int32_t* matrix, int& rotation, bool& mirror);

}  // namespace laban
