// A progress bar on a terminal; plain lines, now and then, anywhere else.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/time_left.h"

namespace laban::tools {

class Progress {
 public:
  /// `total` steps of work; `out` is where it shows (stderr, so that stdout stays for results).
  Progress(std::string title, int64_t total, std::FILE* out = stderr);
  ~Progress();  // ends the line of an unfinished bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of total. `notes` follow the count ("loss 1.23", "45 clips/s"), the most important first: on a
  /// terminal that is too narrow for all, first the bar goes, then the last of them; the time left always
  /// shows. Cheap enough to call at every step: a terminal is redrawn at most ten times a second, a file gets
  /// a line at every tenth of the work or half minute.
  void update(int64_t done, const std::vector<std::string>& notes = {});
  /// As it is shown; nothing where it is too early to say.
  std::optional<double> seconds_left() const { return left_.seconds(); }
  /// Shows the final state with `notes` and ends the line.
  void finish(const std::vector<std::string>& notes = {});
  /// From the next update on.
  void set_title(std::string title) { title_ = std::move(title); }
  /// Takes the bar away until the next update: before something is printed on stdout.
  void clear();
  /// Prints a line of its own above the bar.
  void line(std::string_view text);

 private:
  using Clock = std::chrono::steady_clock;
  void draw(int64_t done, const std::vector<std::string>& notes);

  std::string title_;
  int64_t total_;
  std::FILE* out_;
  bool terminal_;
  bool open_ = false;  // the terminal's current line holds a bar
  Clock::time_point start_, last_shown_;
  TimeLeft left_;
  int64_t last_done_ = 0, shown_done_ = -1, last_tenth_ = 0;
};

/// "0:42", "3:05", "1:02:03".
std::string duration_text(double seconds);

}  // namespace laban::tools
