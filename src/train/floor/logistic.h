// Multinomial logistic regression: a linear classifier, for the floor under a network's results.
//
//   minimize over W, b:   sum_i v_i CE(softmax(W x_i + b), y_i) + penalty/2 |W|^2,   v_i = 1/n, or 1/(classes * n_y)
//
// by L-BFGS from zero: no step size to choose, nothing random.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace laban {

/// Samples as rows, with their classes.
struct LabeledRows {
  int64_t columns = 0;
  std::vector<double> values;  // rows x columns
  std::vector<int> labels;     // rows
  int64_t rows() const { return static_cast<int64_t>(labels.size()); }
  std::span<const double> row(int64_t i) const {
    return std::span(values).subspan(static_cast<size_t>(i * columns), static_cast<size_t>(columns));
  }
};

class LogisticRegression {
 public:
  struct Settings {
    int64_t classes = 2;
    /// Every class weighs the same, whatever its number of rows.
    bool balanced = false;
    double penalty = 1e-3;
    int iterations = 100;  // at most; it ends earlier at a gradient of nearly zero
  };
  /// Fits; with `start`, from its weights. Rows are centered and scaled to a mean square of 1 first, all columns
  /// alike. Needs at least one row.
  LogisticRegression(const LabeledRows& rows, const Settings& settings,
                     const LogisticRegression* start = nullptr);

  std::vector<double> probabilities(std::span<const double> row) const;
  /// The objective at the end.
  double objective() const { return objective_; }

 private:
  Settings settings_;
  std::vector<double> center_;  // columns
  double scale_ = 1;
  std::vector<double> weights_;  // classes x (columns + 1); the last column is b
  double objective_ = 0;
};

}  // namespace laban
