// Charts as inline SVG. Colors come from CSS classes that report_style.cpp defines (light, dark, print), so
// a chart is geometry and text only. Every mark that stands for a number has a hover title with that number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/report/run.h"

namespace laban::report {

struct Point {
  double x = 0, y = 0;
  std::string title;  // hover text of the mark; no mark where empty
};
/// A line through `points`, broken where y is not finite. `style` is a CSS class: "train", "val", "plain".
struct Series {
  std::string name, style;
  std::vector<Point> points;
  bool faint = false;  // a noisy background line
};
struct LineChart {
  std::string label;  // for screen readers
  std::string x_label;
  bool percent = false;                           // y is a share
  double x_end = 0;                               // the x axis reaches at least so far
  std::optional<double> y_low = {}, y_high = {};  // fixed ends of the y axis; else from the data
  std::optional<double> reference = {};           // a dashed level...
  std::string reference_name = {};                // ...and its name
  std::vector<Series> series = {};
};
/// Empty where no series has a finite point.
std::string line_chart(const LineChart& chart);

/// Replaces runs of points by their mean, so that at most `most` remain.
std::vector<Point> thinned(const std::vector<Point>& points, size_t most);

/// One measured share with its confidence interval.
struct IntervalRow {
  std::string label, value;  // left and right of the bar
  double share = 0;
  std::optional<Interval> ci95;
  std::string style;  // "test", "control", "val"
  std::string title;
};
/// Horizontal bars from 0 to 100 % with whiskers, and a dashed line at `reference` (chance); `width` in CSS
/// pixels.
std::string interval_chart(const std::string& label, const std::vector<IntervalRow>& rows, double reference,
                           const std::string& reference_name, double width);

/// Rows are true classes, columns predictions; a cell's color is its share of the row, its number the count.
/// Numbers are left out of cells that would be too small to read them.
std::string confusion_chart(const std::vector<std::string>& classes,
                            const std::vector<std::vector<int64_t>>& counts);

}  // namespace laban::report
