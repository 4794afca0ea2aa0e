#include "data/video/libav.h"

#include <array>
#include <cstdarg>
#include <mutex>
#include <new>
#include <type_traits>

namespace laban::av {
namespace {

/// The first line that libav logged in this thread. Without memory of its own: nothing may be thrown through libav,
/// and where a thread has no memory left to note a destructor in, the C library ends the program.
struct Complaint {
  std::array<char, 512> line;
  bool there;
};
thread_local Complaint complaint;
static_assert(std::is_trivially_destructible_v<Complaint>);

void collect(void* source, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR || complaint.there) return;
  int print_prefix = 1;
  av_log_format_line2(source, level, format, arguments, complaint.line.data(),
                      static_cast<int>(complaint.line.size()), &print_prefix);
  complaint.there = true;
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

std::string first_complaint() {
  if (!complaint.there) return "";
  std::string line = complaint.line.data();
  // "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x5581] moov atom not found\n": the address means nothing to a reader.
  const size_t at = line.find(" @ 0x"), close = line.find("] ");
  if (line.starts_with('[') && at != std::string::npos && close != std::string::npos && at < close)
    line = line.substr(1, at - 1) + ": " + line.substr(close + 2);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  return line;
}
void forget_complaints() { complaint.there = false; }

}  // namespace laban::av
