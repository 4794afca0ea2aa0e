#include "cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "cli/printable.h"
#include "core/error.h"
#include "core/text.h"

namespace laban::tools {
namespace {

constexpr double kRedrawSeconds = 0.1;           // on a terminal
constexpr double kPlainLineSeconds = 30;         // elsewhere
constexpr size_t kCells = 24, kFewestCells = 6;  // of the bar
constexpr const char* kBetween = "  ";

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
      last_shown_(start_ - std::chrono::hours(1)),
      left_(total_) {
  if (!terminal_) last_shown_ = start_;
}

Progress::~Progress() {
  if (open_) std::fputc('\n', out_);
}

void Progress::update(int64_t done, const std::vector<std::string>& notes) {
  last_done_ = done;
  const Clock::time_point now = Clock::now();
  left_.note(done, std::chrono::duration<double>(now - start_).count());
  const double since = std::chrono::duration<double>(now - last_shown_).count();
  const int64_t tenth = done * 10 / total_;
  if (terminal_ ? since < kRedrawSeconds : (tenth == last_tenth_ && since < kPlainLineSeconds)) return;
  last_shown_ = now;
  last_tenth_ = tenth;
  draw(done, notes);
}

void Progress::finish(const std::vector<std::string>& notes) {
  if (terminal_ || shown_done_ != last_done_ || !notes.empty()) draw(last_done_, notes);
  if (open_) std::fputc('\n', out_);
  open_ = false;
}

void Progress::clear() {
  if (open_) std::fputs("\r\033[K", out_);
  open_ = false;
  std::fflush(out_);
}

void Progress::line(std::string_view text) {
  clear();
  std::fprintf(out_, "%s\n", printable(text).c_str());
  std::fflush(out_);
}

void Progress::draw(int64_t done, const std::vector<std::string>& notes) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  const double fraction = std::clamp(static_cast<double>(done) / static_cast<double>(total_), 0.0, 1.0);
  std::string time;
  if (done >= total_)
    time = duration_text(elapsed);
  else if (const std::optional<double> left = left_.seconds())
    time = duration_text(*left) + " left";
  shown_done_ = done;
  const std::string count = text(done, "/", total_);
  const auto line = [&](const std::string& bar, size_t shown) {
    std::string all = title_ + " " + bar + count;
    for (size_t i = 0; i < shown; ++i) append(all, notes[i], kBetween);
    if (!time.empty()) append(all, time, kBetween);
    return all;
  };
  if (!terminal_) {
    std::fprintf(out_, "%s\n", line("", notes.size()).c_str());
    std::fflush(out_);
    return;
  }
  const size_t columns = terminal_columns(out_) - 1;
  size_t shown = notes.size();
  while (shown > 0 && characters(line("", shown)) > columns) --shown;
  const size_t used = characters(line("", shown));
  const size_t cells = std::min(kCells, columns > used ? columns - used - 1 : 0);
  std::string bar;
  if (shown == notes.size() && cells >= kFewestCells) {
    const auto full = static_cast<size_t>(fraction * static_cast<double>(cells));
    for (size_t i = 0; i < cells; ++i) bar += i < full ? "█" : "░";
    bar += ' ';
  }
  const std::string all = line(bar, shown);
  const std::string_view fitting = clipped(all, columns);
  std::fprintf(out_, "\r\033[K%.*s", static_cast<int>(fitting.size()), fitting.data());
  open_ = true;
  std::fflush(out_);
}

}  // namespace laban::tools
