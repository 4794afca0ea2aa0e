#include "models/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/hash.h"
#include "core/rng.h"
#include "models/kink_watch.h"

namespace laban {
namespace {

constexpr double kLayerStep = 1e-3, kModelStep = 1e-4;
constexpr int kShrinkings = 7;          // by a factor of 4 each
constexpr double kAccumulatedOnto = 1;  // initial value of parameter gradients
constexpr double kSmallestRms = 1e-8;   // a gradient this small counts as zero

/// A case ready to run: layer, parameters, input, cotangent, and forward and backward passes over them.
class Probe {
 public:
  Probe(Backend& backend, DType compute, const GradcheckCase& check, uint64_t seed)
      : watch_(backend),
        check_(check),
        compute_(compute),
        layer_(check.make()),
        store_(watch_, compute, collected(*layer_)),
        forward_arena_(watch_),
        full_arena_(watch_) {
    draw_parameters(seed);
    Rng rng(seed, Purpose::gradcheck, 1);
    x_ = buffer(check.input, compute, input_memory_);
    for (int64_t i = 0; i < x_.count(); ++i) set(x_, i, single(rng.normal()));
    forward_arena_.poison_released(true);
    full_arena_.poison_released(true);
    forward_pass(nullptr);
    forward_arena_.commit();
    full_pass();
    full_arena_.commit();
  }

  const std::vector<Parameter*>& parameters() const { return store_.list().parameters; }
  const Tensor& x() const { return x_; }
  const ParameterStore& store() const { return store_; }

  /// Computes y, widened to double, at the current input and weights.
  void forward(std::vector<double>& y) {
    ++version_;
    watch_.reset();
    forward_pass(&y);
  }
  /// Computes dx() and the gradients in the store.
  void backward() {
    ++version_;
    watch_.reset();
    const double start = compute_ == DType::f64 ? kAccumulatedOnto : 0;  // f32 would lose precision
    for (const Parameter* p : parameters())
      for (int64_t i = 0; i < p->grad.count(); ++i) set(p->grad, i, start);
    full_pass();
    for (const Parameter* p : parameters())
      for (int64_t i = 0; i < p->grad.count(); ++i) set(p->grad, i, get(p->grad, i) - start);
  }
  const std::vector<double>& dx() const { return dx_; }
  const std::vector<double>& cotangent() const { return cotangent_; }
  uint64_t pattern() const { return watch_.pattern(); }

  static double get(const Tensor& t, int64_t i) {
    switch (t.dtype) {
      case DType::f64:
        return t.as<double>()[i];
      case DType::f32:
        return static_cast<double>(t.as<float>()[i]);
      case DType::bf16:
        return static_cast<double>(static_cast<float>(t.as<BFloat16>()[i]));
      default:
        throw std::logic_error("gradcheck: not a real tensor");
    }
  }
  /// Weights and inputs are exact in f32, so that f64 and f32 probes with the same seed are at the same
  /// point.
  static double single(double value) { return static_cast<double>(static_cast<float>(value)); }
  static void set(const Tensor& t, int64_t i, double value) {
    if (t.dtype == DType::f64)
      t.as<double>()[i] = value;
    else if (t.dtype == DType::f32)
      t.as<float>()[i] = static_cast<float>(value);
    else
      t.as<BFloat16>()[i] = BFloat16(static_cast<float>(value));
  }

 private:
  static ParameterList collected(Layer& layer) {
    ParameterList list;
    layer.collect(list);
    return list;
  }

  Tensor buffer(const Shape& shape, DType dtype, std::unique_ptr<Memory>& memory) {
    memory = watch_.allocate(static_cast<size_t>(shape.count()) * size_of(dtype));
    return Tensor(memory->data(), dtype, shape);
  }

  /// Unlike in initialization, nothing is 0 or 1: gamma, beta, biases and running statistics are all tested.
  void draw_parameters(uint64_t seed) {
    store_.initialize(seed);
    for (const Parameter* p : parameters()) {
      Rng rng(seed, Purpose::gradcheck, 2, fnv1a(p->name));
      std::vector<double> values = store_.read(store_.weights(), *p);
      for (double& v : values) {
        if (p->init.kind == Initializer::Kind::constant) v += rng.uniform(-0.5, 0.5);
        if (p->init.kind == Initializer::Kind::normal) v = 0.3 * rng.normal();
        v = single(v);
      }
      store_.write(store_.weights(), *p, values);
    }
    for (const Statistic* s : store_.list().statistics) {
      Rng rng(seed, Purpose::gradcheck, 2, fnv1a(s->name));
      std::vector<double> values = store_.read(*s);
      for (double& v : values) v = single(v + rng.uniform(-0.5, 0.5));
      store_.write(*s, values);
    }
    store_.weights_changed(true);
  }

  StepContext context(Arena& arena) {
    return {.backend = watch_,
            .arena = arena,
            .mode = check_.mode,
            .compute = compute_,
            .seed = 5,
            .weights_version = version_};
  }

  void forward_pass(std::vector<double>* y_out) {
    forward_arena_.begin_pass();
    StepContext ctx = context(forward_arena_);
    const Value y = layer_->forward(ctx, Value::external(x_));
    layer_->clear_saved();
    if (!y_out) return;
    y_out->resize(static_cast<size_t>(y.shape().count()));
    for (size_t i = 0; i < y_out->size(); ++i) (*y_out)[i] = get(y.tensor(), static_cast<int64_t>(i));
  }

  void full_pass() {
    full_arena_.begin_pass();
    StepContext ctx = context(full_arena_);
    Value y = layer_->forward(ctx, Value::external(x_));
    Value dy = ctx.take(y.shape(), y.tensor().dtype);
    y.reset();
    if (full_arena_.planning()) {
      Rng rng(11, Purpose::gradcheck, 4);
      cotangent_.resize(static_cast<size_t>(dy.shape().count()));
      for (double& r : cotangent_) r = check_.is_loss ? 1 : single(rng.normal());
    } else {
      for (size_t i = 0; i < cotangent_.size(); ++i) set(dy.tensor(), static_cast<int64_t>(i), cotangent_[i]);
    }
    const Value dx = layer_->backward(ctx, std::move(dy), true);
    require(dx.shape() == check_.input, "gradcheck: dx must have the input's shape");
    if (full_arena_.planning()) return;
    dx_.resize(static_cast<size_t>(dx.shape().count()));
    for (size_t i = 0; i < dx_.size(); ++i) dx_[i] = get(dx.tensor(), static_cast<int64_t>(i));
  }

  KinkWatch watch_;
  const GradcheckCase& check_;
  DType compute_;
  std::unique_ptr<Layer> layer_;
  ParameterStore store_;
  Arena forward_arena_, full_arena_;
  std::unique_ptr<Memory> input_memory_;
  Tensor x_;
  std::vector<double> cotangent_, dx_;
  uint64_t version_ = 1;
};

double rms_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

/// Difference quotients of one probe.
class Differences {
 public:
  explicit Differences(Probe& probe) : probe_(probe) {
    probe_.forward(plus_);
    pattern_ = probe_.pattern();
  }

  /// d phi / ds, where move(s) sets the variables; NaN if there is a kink within even the smallest step.
  template <class Move>
  double along(double step, Move move) {
    double slope = std::nan("");
    for (int shrinking = 0; shrinking < kShrinkings && std::isnan(slope); ++shrinking, step /= 4) {
      const double wide = span(2 * step, move),
                   narrow = span(step, move);  // phi(s) - phi(-s); NaN across a kink
      slope = (8 * narrow - wide) / (12 * step);
    }
    move(0.0);
    return slope;
  }

 private:
  template <class Move>
  double span(double s, Move move) {
    move(s);
    probe_.forward(plus_);
    bool smooth = probe_.pattern() == pattern_;
    move(-s);
    probe_.forward(minus_);
    smooth = smooth && probe_.pattern() == pattern_;
    if (!smooth) return std::nan("");
    // Difference first, then sum: summing the common part would cost precision.
    double sum = 0;
    for (size_t i = 0; i < plus_.size(); ++i) sum += probe_.cotangent()[i] * (plus_[i] - minus_[i]);
    return sum;
  }

  Probe& probe_;
  uint64_t pattern_ = 0;
  std::vector<double> plus_, minus_;
};

GradcheckRow named_row(const GradcheckCase& check, const std::string& tensor,
                       const std::vector<double>& gradient, double tolerance) {
  GradcheckRow row;
  std::vector<LayerRow> layers;
  check.make()->describe(check.input, layers);
  row.layers = std::max(1, static_cast<int>(layers.size()));
  row.input_size = check.input.count();
  row.layer = check.layer;
  row.variant = check.variant;
  row.tensor = tensor;
  row.rms = rms_of(gradient);
  row.tolerance = tolerance;
  return row;
}

/// An element's place, in memory order, along the axes that have more than one.
std::string place_of(int64_t element, const Shape& shape) {
  const int64_t c = element % shape.c, w = element / shape.c % shape.w,
                h = element / shape.c / shape.w % shape.h,
                t = element / shape.c / shape.w / shape.h % shape.t,
                n = element / shape.c / shape.w / shape.h / shape.t;
  std::string place;
  const auto add = [&](const char* axis, int64_t at, int64_t extent) {
    if (extent > 1) place += text(place.empty() ? "" : ", ", axis, " ", at);
  };
  add("n", n, shape.n), add("c", c, shape.c), add("t", t, shape.t), add("h", h, shape.h),
      add("w", w, shape.w);
  return place.empty() ? "its only element" : place;
}

/// Notes an error where it is the largest so far; a NaN is larger than any.
void note(GradcheckRow& row, double error, double backward, double expected,
          const std::function<std::string()>& where) {
  if (!row.where.empty() && (error <= row.error || std::isnan(row.error))) return;
  row.error = error, row.backward = backward, row.expected = expected;
  row.where = where();
}

void check_every_element(Differences& differences, const Tensor& variable,
                         const std::vector<double>& gradient, GradcheckRow& row) {
  double* values = variable.as<double>();
  for (int64_t i = 0; i < variable.count(); ++i) {
    const double base = values[i];
    const double slope = differences.along(kLayerStep, [&](double s) { values[i] = base + s; });
    ++row.checked;
    if (std::isnan(slope))
      ++row.kinked;
    else
      note(row, std::abs(slope - gradient[static_cast<size_t>(i)]) / std::max(row.rms, kSmallestRms),
           gradient[static_cast<size_t>(i)], slope, [&] { return place_of(i, variable.shape); });
  }
}

void check_directions(Differences& differences, const Tensor& variable, const std::vector<double>& gradient,
                      int directions, uint64_t seed, GradcheckRow& row) {
  double* values = variable.as<double>();
  const std::vector<double> base(values, values + variable.count());
  const double scale = std::max(rms_of(base), 0.1);  // the step size is relative to this
  for (int d = 0; d < directions; ++d) {
    Rng rng(seed, Purpose::gradcheck, 5, static_cast<uint64_t>(d));
    std::vector<double> direction(base.size());
    double analytic = 0, squares = 0;
    for (size_t i = 0; i < base.size(); ++i) {
      direction[i] = scale * rng.normal();
      analytic += direction[i] * gradient[i];
      squares += direction[i] * direction[i];
    }
    const double slope = differences.along(kModelStep, [&](double s) {
      for (size_t i = 0; i < base.size(); ++i) values[i] = base[i] + s * direction[i];
    });
    ++row.checked;
    // On average, the gradient along a random direction is rms * norm(direction).
    const double expected = std::max(row.rms, kSmallestRms) * std::sqrt(squares);
    if (std::isnan(slope))
      ++row.kinked;
    else
      note(row, std::abs(slope - analytic) / expected, analytic, slope,
           [&] { return text("direction ", d + 1, " of ", directions); });
  }
}

}  // namespace

const GradcheckRow* smallest_failure(const std::vector<GradcheckRow>& rows) {
  const GradcheckRow* smallest = nullptr;
  const auto size = [](const GradcheckRow& row) { return std::pair(row.layers, row.input_size); };
  for (const GradcheckRow& row : rows)
    if (!row.pass() && (!smallest || size(row) < size(*smallest))) smallest = &row;
  return smallest;
}

std::vector<GradcheckRow> gradcheck(Backend& backend, const GradcheckCase& check, uint64_t seed) {
  Probe probe(backend, DType::f64, check, seed);
  probe.backward();
  Differences differences(probe);
  std::vector<GradcheckRow> rows;
  const auto examine = [&](const std::string& tensor, const Tensor& variable,
                           const std::vector<double>& gradient) {
    GradcheckRow row =
        named_row(check, tensor, gradient, check.directions == 0 ? kLayerTolerance : kModelTolerance);
    if (check.directions == 0)
      check_every_element(differences, variable, gradient, row);
    else
      check_directions(differences, variable, gradient, check.directions, seed, row);
    rows.push_back(std::move(row));
  };
  examine("input", probe.x(), probe.dx());
  for (const Parameter* p : probe.parameters()) {
    require(p->storage == p->shape, "gradcheck: needs a backend without channel padding");
    const double* gradient = p->grad.as<double>();
    examine(p->name, p->value, {gradient, gradient + p->grad.count()});
  }
  return rows;
}

std::vector<GradcheckRow> compare_gradients(Backend& reference, Backend& backend, const GradcheckCase& check,
                                            uint64_t seed) {
  constexpr uint64_t kTries = 20;
  for (uint64_t attempt = 0;; ++attempt) {
    Probe exact(reference, DType::f64, check, seed + attempt),
        tested(backend, DType::f32, check, seed + attempt);
    exact.backward();
    tested.backward();
    const bool kinked = exact.pattern() != tested.pattern();
    if (kinked && attempt + 1 < kTries) continue;

    std::vector<GradcheckRow> rows;
    const auto examine = [&](const std::string& tensor, const Shape& shape, const std::vector<double>& want,
                             const std::vector<double>& got) {
      GradcheckRow row = named_row(check, tensor, want, kCompareTolerance);
      row.checked = static_cast<int64_t>(want.size());
      row.kinked = kinked ? row.checked : 0;
      std::vector<double> difference(want.size());
      for (size_t i = 0; i < want.size(); ++i) difference[i] = got[i] - want[i];
      const double unit = std::max(row.rms, kSmallestRms);
      for (size_t i = 0; i < want.size(); ++i)
        note(row, std::abs(difference[i]) / unit, got[i], want[i],
             [&] { return place_of(static_cast<int64_t>(i), shape); });
      if (check.directions > 0) row.error = rms_of(difference) / unit;
      rows.push_back(std::move(row));
    };
    examine("input", check.input, exact.dx(), tested.dx());
    for (size_t i = 0; i < exact.parameters().size(); ++i) {
      const Parameter &want = *exact.parameters()[i], &got = *tested.parameters()[i];
      examine(want.name, want.shape, exact.store().read(exact.store().grads(), want),
              tested.store().read(tested.store().grads(), got));
    }
    return rows;
  }
}

}  // namespace laban
