// Charts as inline SVG. Colors come from CSS classes defined in style.cpp (light, dark, print), so a chart is
// only geometry and text. Every mark that represents a number has a hover title with that number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/report/run.h"

namespace laban::report {

struct Point {
  double x = 0, y = 0;
  std::string title;  // hover text of the mark; no mark if empty
};
/// A line through `points`, interrupted where y is not finite. `style` is a CSS class: "train", "val",
/// "plain".
struct Series {
  std::string name, style;
  std::vector<Point> points;
  bool faint = false;  // a noisy background line
};
struct LineChart {
  std::string label;  // for screen readers
  std::string x_label;
  bool percent = false;                           // y is a fraction
  double x_end = 0;                               // the x axis extends at least this far
  std::optional<double> y_low = {}, y_high = {};  // fixed ends of the y axis; else from the data
  std::optional<double> reference = {};           // a dashed level...
  std::string reference_name = {};                // ...and its name
  std::vector<Series> series = {};
};
/// Empty if no series has a finite point.
std::string line_chart(const LineChart& chart);

/// Replaces runs of points by their mean, so that at most `most` remain.
std::vector<Point> thinned(const std::vector<Point>& points, size_t most);

/// A measured fraction with its confidence interval.
struct IntervalRow {
  std::string label, value;  // left and right of the bar
  double fraction = 0;
  std::optional<Interval> ci95;
  std::string style;  // "test", "control", "val"
  std::string title;
};
/// Horizontal bars from 0 to 100 % with whiskers, and a dashed line at `reference` (chance); `width` in CSS
/// pixels.
std::string interval_chart(const std::string& label, const std::vector<IntervalRow>& rows, double reference,
                           const std::string& reference_name, double width);

/// Rows are true classes, columns predictions; a cell's color is its fraction of the row, its number the
/// count. Numbers are omitted from cells that are too small.
std::string confusion_chart(const std::vector<std::string>& classes,
                            const std::vector<std::vector<int64_t>>& counts);

}  // namespace laban::report
