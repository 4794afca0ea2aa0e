// How long work will still take, from how long it has taken.
#pragma once

#include <cstdint>
#include <optional>

namespace laban::tools {

/// The first step is not counted: memory is planned in it, files are opened, and it may take ten times as long as
/// the others. Nothing is said before enough steps have followed.
class TimeLeft {
 public:
  explicit TimeLeft(int64_t total) : total_(total) {}

  /// `done` of total, `seconds` after the beginning. Ascending.
  void note(int64_t done, double seconds) {
    if (done <= 0) return;
    if (!first_) first_ = Point{done, seconds};
    last_ = Point{done, seconds};
  }
  /// Seconds; nothing where it is too early to say.
  std::optional<double> seconds() const {
    constexpr int64_t kSteps = 5;
    constexpr double kSeconds = 10;  // so many also suffice, with a step at least
    if (!first_ || last_.done == first_->done) return std::nullopt;
    const auto steps = static_cast<double>(last_.done - first_->done);
    const double took = last_.seconds - first_->seconds;
    if (last_.done - first_->done < kSteps && took < kSeconds) return std::nullopt;
    return took / steps * static_cast<double>(total_ - last_.done);
  }

 private:
  struct Point {
    int64_t done = 0;
    double seconds = 0;
  };
  int64_t total_;
  std::optional<Point> first_;
  Point last_;
};

}  // namespace laban::tools
