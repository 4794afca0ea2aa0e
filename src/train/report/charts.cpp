#include "train/report/charts.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "train/report/text.h"

namespace laban::report {
namespace {

/// A coordinate: two decimals are a fiftieth of a CSS pixel at most.
std::string px(double v) {
  std::string s = fixed(v, 2);
  s.erase(s.find_last_not_of('0') + 1);
  if (s.ends_with('.')) s.pop_back();
  return s;
}

/// Where the axis has its marks: multiples of 1, 2 or 5 times a power of ten that span [low, high].
struct Ticks {
  double low, high, step;
  int decimals;
};
Ticks ticks(double low, double high, int about) {
  if (!(high > low)) high = low + (low == 0 ? 1 : std::abs(low));
  const double raw = (high - low) / about;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step * 1.0001))));
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step, decimals};
}

std::string open_svg(double width, double height, const std::string& label, const std::string& style) {
  return text("<svg class=\"chart ", style, "\" viewBox=\"0 0 ", px(width), ' ', px(height), "\" width=\"",
              px(width), "\" height=\"", px(height), "\" role=\"img\" aria-label=\"", escape(label), "\">");
}
std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return text("<line class=\"", style, "\" x1=\"", px(x1), "\" y1=\"", px(y1), "\" x2=\"", px(x2), "\" y2=\"",
              px(y2), "\"/>");
}
std::string words(double x, double y, const std::string& style, const std::string& content) {
  return text("<text class=\"", style, "\" x=\"", px(x), "\" y=\"", px(y), "\">", escape(content), "</text>");
}
std::string title(const std::string& content) {
  return content.empty() ? "" : "<title>" + escape(content) + "</title>";
}

/// A name shortened to `most` characters (code points) for a label; the full one is in the hover title.
std::string shortened(const std::string& name, size_t most) {
  size_t characters = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if ((static_cast<uint8_t>(name[i]) & 0xC0) == 0x80) continue;
    if (++characters == most && i + 1 < name.size()) {
      const bool more = std::any_of(name.begin() + static_cast<std::ptrdiff_t>(i) + 1, name.end(),
                                    [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; });
      if (more) return name.substr(0, i) + "…";
    }
  }
  return name;
}

}  // namespace

std::vector<Point> thinned(const std::vector<Point>& points, size_t most) {
  if (points.size() <= most) return points;
  std::vector<Point> out;
  for (size_t k = 0; k < most; ++k) {
    const size_t begin = k * points.size() / most, end = (k + 1) * points.size() / most;
    Point mean;
    int64_t finite = 0;
    for (size_t i = begin; i < end; ++i) {
      mean.x += points[i].x / static_cast<double>(end - begin);
      if (std::isfinite(points[i].y)) mean.y += points[i].y, ++finite;
    }
    mean.y = finite > 0 ? mean.y / static_cast<double>(finite) : kMissing;
    out.push_back(mean);
  }
  return out;
}

std::string line_chart(const LineChart& chart) {
  constexpr double width = 460, height = 270, left = 52, right = 20, top = 12, bottom = 42;
  double x_high = chart.x_end, y_low = INFINITY, y_high = -INFINITY;
  for (const Series& s : chart.series)
    for (const Point& p : s.points)
      if (std::isfinite(p.y))
        x_high = std::max(x_high, p.x), y_low = std::min(y_low, p.y), y_high = std::max(y_high, p.y);
  if (!std::isfinite(y_low)) return "";
  if (chart.reference) y_low = std::min(y_low, *chart.reference), y_high = std::max(y_high, *chart.reference);
  const Ticks y = ticks(chart.y_low.value_or(y_low), chart.y_high.value_or(y_high), 5);
  const Ticks x = ticks(0, x_high, 6);
  const double x_end =
      std::max(x_high, 1e-12);  // the data ends at the right edge; no empty stretch to the next round number
  const auto at_x = [&](double v) { return left + (width - left - right) * v / x_end; };
  const auto at_y = [&](double v) {
    return height - bottom - (height - top - bottom) * (v - y.low) / (y.high - y.low);
  };

  std::string svg = open_svg(width, height, chart.label, "lines");
  const int64_t rows = std::llround((y.high - y.low) / y.step);
  for (int64_t k = 0; k <= rows; ++k) {
    const double v = y.low + static_cast<double>(k) * y.step;
    svg += line(left, at_y(v), width - right, at_y(v), k == 0 ? "axis" : "grid");
    const std::string name = chart.percent   ? percent(v, std::max(0, y.decimals - 2))
                             : y.step < 1e-3 ? brief(v, 3)
                                             : fixed(v, y.decimals);
    svg += words(left - 8, at_y(v) + 4, "tick end", name);
  }
  for (double v = 0; v <= x_end * (1 + 1e-9); v += x.step)
    svg += words(at_x(v), height - bottom + 18, "tick middle", fixed(v, x.decimals));
  svg += words((left + width - right) / 2, height - 6, "tick middle", chart.x_label);
  if (chart.reference) {
    svg += line(left, at_y(*chart.reference), width - right, at_y(*chart.reference), "reference");
    svg += words(width - right, at_y(*chart.reference) - 5, "tick end", chart.reference_name);
  }
  const auto clamped = [&](double v) { return std::clamp(v, y.low, y.high); };
  for (const Series& s : chart.series) {
    std::string path;
    bool pen_down = false;
    for (const Point& p : s.points) {
      if (!std::isfinite(p.y)) {
        pen_down = false;
        continue;
      }
      path += text(pen_down ? 'L' : 'M', px(at_x(p.x)), ' ', px(at_y(clamped(p.y))));
      pen_down = true;
    }
    if (path.empty()) continue;
    svg += text("<path class=\"", s.style, s.faint ? " faint" : "", "\" d=\"", path, "\"/>");
    for (const Point& p : s.points)
      if (std::isfinite(p.y) && !p.title.empty())
        svg +=
            text("<circle class=\"", s.style, "\" cx=\"", px(at_x(p.x)), "\" cy=\"", px(at_y(clamped(p.y))),
                 "\" r=\"", s.points.size() <= 60 ? "3" : "1.5", "\">", title(p.title), "</circle>");
  }
  return svg + "</svg>";
}

std::string interval_chart(const std::string& label, const std::vector<IntervalRow>& rows, double reference,
                           const std::string& reference_name, double width) {
  if (rows.empty()) return "";
  constexpr double row_height = 26, top = 20, bottom = 26;
  size_t longest = 0, longest_value = 0;
  for (const IntervalRow& row : rows)
    longest = std::max(longest, characters(row.label)),
    longest_value = std::max(longest_value, characters(row.value));
  const double left = std::min(140.0, 16 + 7.2 * static_cast<double>(longest));
  const double right = 22 + 7.2 * static_cast<double>(longest_value);
  const double height = top + row_height * static_cast<double>(rows.size()) + bottom;
  const double base = height - bottom;
  const auto at = [&](double fraction) {
    return left + (width - left - right) * std::clamp(fraction, 0.0, 1.0);
  };

  std::string svg = open_svg(width, height, label, "intervals");
  for (int k = 0; k <= 4; ++k) {
    svg += line(at(k / 4.0), top, at(k / 4.0), base, k == 0 ? "axis" : "grid");
    svg += words(at(k / 4.0), base + 17, "tick middle", percent(k / 4.0, 0));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const IntervalRow& row = rows[i];
    const double y = top + row_height * (static_cast<double>(i) + 0.5);
    svg += "<g>" + title(row.title);
    svg += text("<rect class=\"hover\" x=\"0\" y=\"", px(y - row_height / 2), "\" width=\"", px(width),
                "\" height=\"", px(row_height), "\"/>");
    svg += words(left - 10, y + 4.5, "name end", shortened(row.label, 19));
    if (std::isfinite(row.fraction))
      svg += text("<rect class=\"bar ", row.style, "\" x=\"", px(left), "\" y=\"", px(y - 7), "\" width=\"",
                  px(at(row.fraction) - left), "\" height=\"14\" rx=\"2\"/>");
    if (row.ci95) {
      svg += line(at(row.ci95->low), y, at(row.ci95->high), y, "whisker");
      svg += line(at(row.ci95->low), y - 4, at(row.ci95->low), y + 4, "whisker");
      svg += line(at(row.ci95->high), y - 4, at(row.ci95->high), y + 4, "whisker");
    }
    svg += words(width - right + 10, y + 4.5, "value", row.value);
    svg += "</g>";
  }
  if (std::isfinite(reference)) {
    svg += line(at(reference), top - 2, at(reference), base, "reference");
    svg += words(at(reference), top - 7, reference < 0.12 ? "tick" : "tick middle", reference_name);
  }
  return svg + "</svg>";
}

std::string confusion_chart(const std::vector<std::string>& classes,
                            const std::vector<std::vector<int64_t>>& counts) {
  const size_t n = classes.size();
  if (n == 0 || counts.size() != n) return "";
  size_t longest = 0;
  for (const std::string& name : classes) longest = std::max(longest, std::min<size_t>(characters(name), 19));
  const double cell = std::clamp(500.0 / static_cast<double>(n), 6.0, 72.0);
  const bool names = cell >= 9, numbers = cell >= 19, fractions = cell >= 38;
  const double font = std::min(13.0, cell * 0.8);
  const double label_width = names ? 7.3 * font / 13 * static_cast<double>(longest) + 16 : 10;
  const double left = 24 + label_width, top = 26 + 0.75 * label_width;
  const double grid = cell * static_cast<double>(n);
  const double overhang = names ? 0.7 * label_width : 0;  // the last slanted column label
  const double width = left + grid + std::max(46.0, overhang), height = top + grid + 10;

  std::string svg = text(
      "<div style=\"max-width:", px(1.3 * width), "px;margin:0 auto\">",
      open_svg(width, height, "Confusion matrix: rows are true classes, columns predictions", "confusion"));
  svg += words(left + grid / 2, 14, "tick middle", "predicted class");
  svg += text("<text class=\"tick middle\" transform=\"translate(13 ", px(top + grid / 2),
              ") rotate(-90)\">true class</text>");
  svg += text("<rect class=\"field\" x=\"", px(left), "\" y=\"", px(top), "\" width=\"", px(grid),
              "\" height=\"", px(grid), "\"/>");
  for (size_t r = 0; r < n; ++r) {
    int64_t row_total = 0;
    for (const int64_t count : counts[r]) row_total += count;
    const double y = top + cell * static_cast<double>(r),
                 x_label = left + cell * (static_cast<double>(r) + 0.5);
    if (names) {
      const std::string size = text("font-size=\"", px(font), "\"");
      svg += text("<text class=\"name end\" ", size, " x=\"", px(left - 8), "\" y=\"",
                  px(y + cell / 2 + font * 0.35), "\">", title(classes[r]), escape(shortened(classes[r], 19)),
                  "</text>");
      svg += text("<text class=\"name\" ", size, " transform=\"translate(", px(x_label + font * 0.2), ' ',
                  px(top - 8), ") rotate(-45)\">", title(classes[r]), escape(shortened(classes[r], 19)),
                  "</text>");
    }
    if (numbers) svg += words(left + grid + 8, y + cell / 2 + 4, "tick", text("n=", row_total));
    for (size_t c = 0; c < n; ++c) {
      const int64_t count = counts[r][c];
      if (count == 0) continue;
      const double fraction = static_cast<double>(count) / static_cast<double>(row_total);
      const double x = left + cell * static_cast<double>(c);
      const std::string ink = fraction > 0.5 ? " strong" : "";
      svg += "<g>" +
             title(text(classes[r], r == c ? " recognized: " : " taken for ", r == c ? "" : classes[c] + ": ",
                        count, " of ", row_total, " (", percent(fraction), ")"));
      svg += text("<rect class=\"", r == c ? "hit" : "miss", "\" x=\"", px(x + 0.5), "\" y=\"", px(y + 0.5),
                  "\" width=\"", px(cell - 1), "\" height=\"", px(cell - 1), "\" fill-opacity=\"",
                  fixed(0.12 + 0.88 * fraction, 3), "\"/>");
      if (numbers)
        svg += words(x + cell / 2, y + cell / 2 + (fractions ? 0.5 : 4), "count middle" + ink,
                     std::to_string(count));
      if (fractions)
        svg += words(x + cell / 2, y + cell / 2 + 13, "fraction middle" + ink, percent(fraction, 0));
      svg += "</g>";
    }
  }
  for (size_t k = 1; k < n && cell >= 12; ++k) {
    const double d = cell * static_cast<double>(k);
    svg +=
        line(left + d, top, left + d, top + grid, "mesh") + line(left, top + d, left + grid, top + d, "mesh");
  }
  return svg + "</svg></div>";
}

}  // namespace laban::report
