#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace laban::tools {
namespace {

constexpr double kRedrawSeconds = 0.1;    // on a terminal
constexpr double kPlainLineSeconds = 30;  // elsewhere

size_t terminal_columns(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

/// The longest prefix of `s` with at most `columns` characters, never cutting through a UTF-8 sequence.
std::string_view clipped(std::string_view s, size_t columns) {
  size_t shown = 0, end = 0;
  while (end < s.size()) {
    size_t next = end + 1;
    while (next < s.size() && (static_cast<unsigned char>(s[next]) & 0xC0) == 0x80) ++next;
    if (shown == columns) break;
    ++shown;
    end = next;
  }
  return s.substr(0, end);
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  char buffer[48];
  if (whole >= 3600)
    std::snprintf(buffer, sizeof buffer, "%lld:%02lld:%02lld", static_cast<long long>(whole / 3600),
                  static_cast<long long>(whole / 60 % 60), static_cast<long long>(whole % 60));
  else
    std::snprintf(buffer, sizeof buffer, "%lld:%02lld", static_cast<long long>(whole / 60),
                  static_cast<long long>(whole % 60));
  return buffer;
}

Progress::Progress(std::string title, int64_t total, std::FILE* out)
    : title_(std::move(title)),
      total_(std::max<int64_t>(total, 1)),
      out_(out),
      terminal_(isatty(fileno(out)) == 1),
      start_(Clock::now()),
      last_shown_(start_ - std::chrono::hours(1)) {
  if (!terminal_) last_shown_ = start_;
}

Progress::~Progress() {
  if (open_) std::fputc('\n', out_);
}

void Progress::update(int64_t done, std::string_view note) {
  last_done_ = done;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_shown_).count();
  const int64_t tenth = done * 10 / total_;
  if (terminal_ ? since < kRedrawSeconds : (tenth == last_tenth_ && since < kPlainLineSeconds)) return;
  last_shown_ = now;
  last_tenth_ = tenth;
  draw(done, note);
}

void Progress::finish(std::string_view note) {
  draw(last_done_, note);
  if (open_) std::fputc('\n', out_);
  open_ = false;
}

void Progress::line(std::string_view text) {
  if (open_) std::fputs("\r\033[K", out_);
  open_ = false;
  std::fprintf(out_, "%.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(out_);
}

void Progress::draw(int64_t done, std::string_view note) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total_), 0.0, 1.0);
  std::string line = title_ + " ";
  if (terminal_) {
    constexpr int kCells = 24;
    const int full = static_cast<int>(share * kCells);
    for (int i = 0; i < kCells; ++i) line += i < full ? "█" : "░";
    line += ' ';
  }
  line += std::to_string(done) + "/" + std::to_string(total_);
  if (!note.empty()) (line += " | ").append(note);
  if (done >= total_)
    line += " | " + duration_text(elapsed);
  else if (share > 0)
    line += " | " + duration_text(elapsed / share - elapsed) + " left";
  if (terminal_) {
    const std::string_view shown = clipped(line, terminal_columns(out_) - 1);
    std::fprintf(out_, "\r\033[K%.*s", static_cast<int>(shown.size()), shown.data());
    open_ = true;
  } else {
    std::fprintf(out_, "%s\n", line.c_str());
  }
  std::fflush(out_);
}

}  // namespace laban::tools
