// Packets in, pictures out. Each picture's pts is the ordinal of the packet it came from.
#pragma once

#include <functional>
#include <string>

#include "data/video/demuxer.h"
#include "data/video/libav.h"

namespace laban {

enum class Effort {
  exact,  // pictures as from any conforming decoder
  count,  // the same pictures in the same order, without the deblocking filter: to count them
};

class VideoDecoder {
 public:
  using Sink = std::function<void(AVFrame&)>;

  /// FileError if libav has no decoder for the stream.
  VideoDecoder(const Demuxer& source, Effort effort);

  /// Decodes packet number `ordinal` and delivers the pictures that are ready. A packet that does not decode
  /// is counted in errors(). FileError for a picture that would take absurdly long.
  void decode(AVPacket& packet, int64_t ordinal, const Sink& sink);
  /// Delivers the remaining pictures. To decode more after that, call restart().
  void drain(const Sink& sink);
  /// Discards all pictures: decoding must be able to start at the next packet.
  void restart();

  int errors() const { return errors_; }
  /// The first error that libav logged for a packet that did not decode completely; empty if there was none.
  const std::string& first_error() const { return first_error_; }

 private:
  void receive(const Sink& sink);
  void note_error(int code);

  std::filesystem::path file_;  // for messages
  av::CodecContext context_;
  av::FramePtr frame_ = av::make_frame();
  bool stands_alone_ = false;  // every picture in this format is coded independently
  int errors_ = 0;
  std::string first_error_;
};

}  // namespace laban
