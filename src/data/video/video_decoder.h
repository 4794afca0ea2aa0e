// Packets in, pictures out. Every picture's pts is the ordinal of the packet it came from.
#pragma once

#include <functional>
#include <string>

#include "data/video/demuxer.h"
#include "data/video/libav.h"

namespace laban {

enum class Effort {
  exact,  // pictures as every conforming decoder makes them
  count,  // the same pictures in the same order, without the deblocking filter: to count them
};

class VideoDecoder {
 public:
  using Sink = std::function<void(AVFrame&)>;

  /// FileError where this libav has no decoder for the stream.
  VideoDecoder(const Demuxer& source, Effort effort);

  /// Decodes packet number `ordinal` and hands out what is ready. A packet that does not decode is counted in
  /// errors().
  void decode(AVPacket& packet, int64_t ordinal, const Sink& sink);
  /// Hands out what is still inside. Nothing can be decoded after that but by restart().
  void drain(const Sink& sink);
  /// Forgets all pictures: the next packet must be one that starts anew.
  void restart();

  int errors() const { return errors_; }
  /// libav's first complaint about a packet that did not decode, or did in part; empty where it made none.
  const std::string& first_error() const { return first_error_; }

 private:
  void receive(const Sink& sink);
  void note_error(int code);

  av::CodecContext context_;
  av::FramePtr frame_ = av::make_frame();
  bool stands_alone_ = false;  // no picture of this format is made from another
  int errors_ = 0;
  std::string first_error_;
};

}  // namespace laban
