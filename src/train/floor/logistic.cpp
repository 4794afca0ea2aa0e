#include "train/floor/logistic.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>

#include "core/error.h"

namespace laban {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// softmax in place; returns log sum exp.
double softmax(std::span<double> logits) {
  const double most = *std::ranges::max_element(logits);
  double sum = 0;
  for (double& value : logits) sum += value = std::exp(value - most);
  for (double& value : logits) value /= sum;
  return most + std::log(sum);
}

/// The objective and its gradient over centered, scaled rows.
class Objective {
 public:
  Objective(const LabeledRows& rows, const LogisticRegression::Settings& settings, const Vector& center,
            double scale)
      : labels_(rows.labels), settings_(settings), columns_(rows.columns), values_(rows.values) {
    for (size_t i = 0; i < values_.size(); ++i)
      values_[i] = (values_[i] - center[i % static_cast<size_t>(columns_)]) * scale;
    Vector count(static_cast<size_t>(settings.classes), 0.0);
    for (const int label : labels_) ++count[static_cast<size_t>(label)];
    const auto present = static_cast<double>(std::ranges::count_if(count, [](double c) { return c > 0; }));
    for (const int label : labels_)
      weight_.push_back(settings.balanced ? 1 / (present * count[static_cast<size_t>(label)])
                                          : 1 / static_cast<double>(labels_.size()));
  }

  double operator()(const Vector& at, Vector& gradient) const {
    const auto columns = static_cast<size_t>(columns_), classes = static_cast<size_t>(settings_.classes),
               stride = columns + 1;
    std::ranges::fill(gradient, 0.0);
    double value = 0;
    Vector p(classes);
    for (size_t i = 0; i < labels_.size(); ++i) {
      const double* const x = values_.data() + i * columns;
      for (size_t k = 0; k < classes; ++k) {
        const double* const w = at.data() + k * stride;
        double sum = w[columns];
        for (size_t c = 0; c < columns; ++c) sum += w[c] * x[c];
        p[k] = sum;
      }
      const auto label = static_cast<size_t>(labels_[i]);
      const double own = p[label];
      value += weight_[i] * (softmax(p) - own);
      p[label] -= 1;
      for (size_t k = 0; k < classes; ++k) {
        double* const g = gradient.data() + k * stride;
        const double factor = weight_[i] * p[k];
        for (size_t c = 0; c < columns; ++c) g[c] += factor * x[c];
        g[columns] += factor;
      }
    }
    for (size_t k = 0; k < classes; ++k)
      for (size_t c = 0; c < columns; ++c) {
        const double w = at[k * stride + c];
        value += settings_.penalty / 2 * w * w;
        gradient[k * stride + c] += settings_.penalty * w;
      }
    return value;
  }

 private:
  const std::vector<int>& labels_;
  const LogisticRegression::Settings& settings_;
  int64_t columns_;
  Vector values_, weight_;
};

/// L-BFGS (Nocedal 1980) with a history of ten steps, and halving of steps that do not descend enough.
double minimize(const Objective& f, Vector& x, int iterations) {
  struct Step {
    Vector s, y;
    double rho;
  };
  constexpr size_t kHistory = 10;
  std::deque<Step> history;
  Vector gradient(x.size()), next(x.size()), next_gradient(x.size());
  double value = f(x, gradient);
  for (int iteration = 0; iteration < iterations && dot(gradient, gradient) > 1e-14; ++iteration) {
    Vector direction = gradient, alpha;
    for (auto step = history.rbegin(); step != history.rend(); ++step) {
      alpha.push_back(step->rho * dot(step->s, direction));
      for (size_t i = 0; i < x.size(); ++i) direction[i] -= alpha.back() * step->y[i];
    }
    const double first = history.empty() ? 1 / std::max(1.0, std::sqrt(dot(gradient, gradient)))
                                         : 1 / (history.back().rho * dot(history.back().y, history.back().y));
    for (double& d : direction) d *= first;
    for (size_t h = 0; h < history.size(); ++h) {
      const Step& step = history[h];
      const double beta = step.rho * dot(step.y, direction), a = alpha[history.size() - 1 - h];
      for (size_t i = 0; i < x.size(); ++i) direction[i] += (a - beta) * step.s[i];
    }
    const double slope = dot(gradient, direction);  // downhill is -direction
    double length = 1, next_value = value;
    bool descended = false;
    for (int halving = 0; halving < 30 && !descended; ++halving, length /= 2) {
      for (size_t i = 0; i < x.size(); ++i) next[i] = x[i] - length * direction[i];
      next_value = f(next, next_gradient);
      descended = next_value <= value - 1e-4 * length * slope;
    }
    if (!descended) break;  // as low as rounding lets it go
    Step step{Vector(x.size()), Vector(x.size()), 0};
    for (size_t i = 0; i < x.size(); ++i)
      step.s[i] = next[i] - x[i], step.y[i] = next_gradient[i] - gradient[i];
    const double curvature = dot(step.s, step.y);
    if (curvature > 1e-12) {
      step.rho = 1 / curvature;
      history.push_back(std::move(step));
      if (history.size() > kHistory) history.pop_front();
    }
    std::swap(x, next);
    std::swap(gradient, next_gradient);
    value = next_value;
  }
  return value;
}

}  // namespace

LogisticRegression::LogisticRegression(const LabeledRows& rows, const Settings& settings,
                                       const LogisticRegression* start)
    : settings_(settings) {
  require(rows.rows() > 0 && settings.classes > 0, "LogisticRegression: nothing to fit");
  const auto columns = static_cast<size_t>(rows.columns);
  center_.assign(columns, 0.0);
  for (size_t i = 0; i < rows.values.size(); ++i)
    center_[i % columns] += rows.values[i] / static_cast<double>(rows.rows());
  double square = 0;
  for (size_t i = 0; i < rows.values.size(); ++i) {
    const double x = rows.values[i] - center_[i % columns];
    square += x * x;
  }
  square /= static_cast<double>(rows.rows());
  scale_ = square > 0 ? 1 / std::sqrt(square) : 1;
  weights_.assign(static_cast<size_t>(settings.classes) * (columns + 1), 0.0);
  if (start) weights_ = start->weights_;
  objective_ = minimize(Objective(rows, settings_, center_, scale_), weights_, settings.iterations);
}

std::vector<double> LogisticRegression::probabilities(std::span<const double> row) const {
  const size_t columns = center_.size(), stride = columns + 1;
  require(row.size() == columns, "LogisticRegression: a row of another length");
  std::vector<double> p(static_cast<size_t>(settings_.classes));
  for (size_t k = 0; k < p.size(); ++k) {
    p[k] = weights_[k * stride + columns];
    for (size_t c = 0; c < columns; ++c) p[k] += weights_[k * stride + c] * (row[c] - center_[c]) * scale_;
  }
  softmax(p);
  return p;
}

}  // namespace laban
