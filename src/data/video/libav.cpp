#include "data/video/libav.h"

#include <array>
#include <cstdarg>
#include <mutex>
#include <new>

namespace laban::av {
namespace {

thread_local std::string complaint;

void collect(void* source, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR || !complaint.empty()) return;
  std::array<char, 512> line{};
  int print_prefix = 1;
  av_log_format_line2(source, level, format, arguments, line.data(), static_cast<int>(line.size()),
                      &print_prefix);
  complaint = line.data();
  // "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] moov atom not found\n": the address means nothing to a reader.
  const size_t at = complaint.find(" @ 0x"), close = complaint.find("] ");
  if (complaint.starts_with('[') && at != std::string::npos && close != std::string::npos && at < close)
    complaint = complaint.substr(1, at - 1) + ": " + complaint.substr(close + 2);
  while (!complaint.empty() && (complaint.back() == '\n' || complaint.back() == ' ')) complaint.pop_back();
}

}  // namespace

Packet make_packet() {
  Packet packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

std::string error_text(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> buffer{};
  av_strerror(code, buffer.data(), buffer.size());
  return buffer.data();
}

void silence_log() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(collect); });
}

std::string first_complaint() { return complaint; }
void forget_complaints() { complaint.clear(); }

}  // namespace laban::av
