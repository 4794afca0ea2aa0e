// RAII wrappers for libav's C types, its messages as strings, and limits that keep a file from hanging the
// program.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/frame.h>
#include <libswscale/swscale.h>
}

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

namespace laban::av {

struct Free {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVCodecParameters* p) const { avcodec_parameters_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using InputContext = std::unique_ptr<AVFormatContext, Free>;
using CodecContext = std::unique_ptr<AVCodecContext, Free>;
using CodecParameters = std::unique_ptr<AVCodecParameters, Free>;
using Packet = std::unique_ptr<AVPacket, Free>;
using FramePtr = std::unique_ptr<AVFrame, Free>;
using Scaler = std::unique_ptr<SwsContext, Free>;

/// New and empty; std::bad_alloc if out of memory.
Packet make_packet();
FramePtr make_frame();

/// The numeric value of one of libav's enumerations. Files can put values there that the enumeration lacks;
/// reading these as an enumeration would be undefined behavior.
template <class Enumeration>
int number_of(const Enumeration& value) {
  static_assert(std::is_enum_v<Enumeration> && sizeof(Enumeration) == sizeof(int));
  int number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

/// libav's text for an error code.
std::string error_text(int code);

/// Keeps libav's log off the terminal for the whole process (later calls have no effect).
void silence_log();
/// The first error that libav logged in this thread since forget_complaints(), with its source ("mov: moov
/// atom not found"); empty if there was none. Works because every decoder here runs in its caller's thread.
std::string first_complaint();
void forget_complaints();

}  // namespace laban::av
