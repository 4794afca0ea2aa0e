// The table of `laban gradcheck`, and proof that it detects mistakes: a wrong backward pass for every layer.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>

#include "core/backend_decorator.h"
#include "models/families.h"
#include "models/gradcheck.h"
#include "reference/reference_backend.h"

using namespace laban;

namespace {

/// The mistakes that hand-written backward passes are made of.
enum class Mistake {
  none,
  conv_data_scaled,
  conv_data_off_by_one,
  conv_weights_off_by_one,
  conv_weights_overwritten,
  conv_bias_forgotten,
  norm_frozen_formula,  // the terms with mean(g) and mean(g xhat) left out
  norm_train_formula,   // ... left in where statistics are constants
  norm_relu_forgotten,
  norm_gamma_overwritten,
  norm_beta_twice,
  norm_residual_unmasked,
  relu_forgotten,
  pool_first_tap,
  average_not_divided,
  linear_data_scaled,
  linear_weights_negated,
  linear_bias_overwritten,
  dropout_not_rescaled,
  subsample_off_by_one,
  shortcut_dropped,
  loss_smoothing_forgotten,
  loss_label_forgotten,
  loss_class_weights_forgotten,
};

class Saboteur : public BackendDecorator {
 public:
  Saboteur(Backend& inner, Mistake mistake) : BackendDecorator(inner), mistake_(mistake) {}
  using BackendDecorator::run;

  void run(const ConvBackwardData& op, Scratch scratch) override {
    ConvBackwardData wrong = op;
    if (is(Mistake::conv_data_off_by_one)) ++wrong.window.padding[2];
    if (is(Mistake::shortcut_dropped)) wrong.accumulate = false;
    inner().run(wrong, scratch);
    if (is(Mistake::conv_data_scaled)) scale(op.dx, 1 + 1e-6);
  }
  void run(const ConvBackwardWeights& op, Scratch scratch) override {
    ConvBackwardWeights wrong = op;
    if (is(Mistake::conv_weights_off_by_one)) ++wrong.window.padding[1];
    if (is(Mistake::conv_weights_overwritten)) inner().run(SetZero{op.dw}, {});
    if (is(Mistake::conv_bias_forgotten)) wrong.dbias = {};
    inner().run(wrong, scratch);
  }
  void run(const BatchNormBackward& op, Scratch scratch) override {
    BatchNormBackward wrong = op;
    if (is(Mistake::norm_frozen_formula)) wrong.frozen = true;
    if (is(Mistake::norm_train_formula)) wrong.frozen = false;
    if (is(Mistake::norm_relu_forgotten)) wrong.relu = false;
    if (is(Mistake::norm_gamma_overwritten)) inner().run(SetZero{op.dgamma}, {});
    if (is(Mistake::norm_residual_unmasked)) wrong.dresidual = {};  // dy stays in its place
    inner().run(wrong, scratch);
    if (is(Mistake::norm_beta_twice)) {
      wrong.dgamma = op.dbeta;  // adds something that does not belong there
      inner().run(wrong, scratch);
    }
  }
  void run(const ReluBackward& op, Scratch scratch) override {
    if (!is(Mistake::relu_forgotten)) return inner().run(op, scratch);
    std::memmove(op.dx.data, op.dy.data, op.dy.bytes());
  }
  void run(const MaxPoolBackward& op, Scratch scratch) override {
    // The middle of the window, or its first place: always inside the input for the cases at hand.
    if (is(Mistake::pool_first_tap))
      std::memset(op.taps.data, static_cast<int>(op.window.volume() / 2), op.taps.bytes());
    inner().run(op, scratch);
  }
  void run(const GlobalAvgPoolBackward& op, Scratch scratch) override {
    inner().run(op, scratch);
    if (is(Mistake::average_not_divided)) scale(op.dx, static_cast<double>(op.dx.shape.t));
  }
  void run(const LinearBackwardData& op, Scratch scratch) override {
    inner().run(op, scratch);
    if (is(Mistake::linear_data_scaled)) scale(op.dx, 1 + 1e-6);
  }
  void run(const LinearBackwardWeights& op, Scratch scratch) override {
    if (is(Mistake::linear_bias_overwritten)) inner().run(SetZero{op.dbias}, {});
    inner().run(op, scratch);
    if (is(Mistake::linear_weights_negated)) scale(op.dw, -1);
  }
  void run(const Dropout& op, Scratch scratch) override {
    const bool backward = op.x.data == op.y.data;  // only there the layer works in place
    inner().run(op, scratch);
    if (is(Mistake::dropout_not_rescaled) && backward) scale(op.y, 1 - op.p);
  }
  void run(const SubsampleBackward& op, Scratch scratch) override {
    inner().run(op, scratch);
    double* dx = op.dx.as<double>();
    if (is(Mistake::subsample_off_by_one)) std::rotate(dx, dx + 1, dx + op.dx.count());
  }
  void run(const SoftmaxCrossEntropy& op, Scratch scratch) override {
    inner().run(op, scratch);
    if (!op.dlogits) return;
    SoftmaxCrossEntropy wrong = op;
    if (is(Mistake::loss_smoothing_forgotten)) wrong.smoothing = 0;
    if (is(Mistake::loss_class_weights_forgotten)) wrong.class_weights = {};
    std::vector<double> losses(op.loss.as<double>(), op.loss.as<double>() + op.loss.count());
    inner().run(wrong, scratch);
    std::copy(losses.begin(), losses.end(), op.loss.as<double>());
    if (is(Mistake::loss_label_forgotten)) inner().run(Softmax{op.logits, op.dlogits}, {});
  }

 private:
  bool is(Mistake mistake) const { return mistake_ == mistake; }
  static void scale(const Tensor& t, double factor) {
    const auto all = [&](auto* values) {
      for (int64_t i = 0; i < t.count(); ++i)
        values[i] =
            static_cast<std::remove_pointer_t<decltype(values)>>(static_cast<double>(values[i]) * factor);
    };
    t.dtype == DType::f64 ? all(t.as<double>()) : all(t.as<float>());
  }

  Mistake mistake_;
};

void check_rows(const std::vector<GradcheckRow>& rows) {
  REQUIRE(!rows.empty());
  for (const GradcheckRow& row : rows) {
    CAPTURE(row.layer);
    CAPTURE(row.variant);
    CAPTURE(row.tensor);
    CHECK(row.kinked == 0);
    CHECK(row.checked > 0);
    CHECK(row.rms > 1e-6);  // otherwise nothing was checked
    CHECK(row.error <= row.tolerance);
    CHECK(row.pass());
  }
}

bool caught(const std::vector<GradcheckRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const GradcheckRow& row) { return !row.pass(); });
}

/// Whether any case of `layer` notices.
bool caught(Mistake mistake, const std::string& layer) {
  ReferenceBackend reference;
  Saboteur backend(reference, mistake);
  for (const GradcheckCase& check : gradcheck_layer_cases())
    if (check.layer == layer && caught(gradcheck(backend, check))) return true;
  return false;
}

const GradcheckCase& model_case(std::string_view name) {
  const auto& all = gradcheck_model_cases();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const GradcheckCase& c) { return c.layer == name; });
  REQUIRE(found != all.end());
  return *found;
}

}  // namespace

TEST_CASE("every layer's backward is the derivative of its forward") {
  ReferenceBackend backend;
  for (const GradcheckCase& check : gradcheck_layer_cases()) check_rows(gradcheck(backend, check));
}

TEST_CASE("every family's backward is the derivative of its loss") {
  ReferenceBackend backend;
  for (GradcheckCase check : gradcheck_model_cases()) {
    check.directions = 1;  // the command takes two
    check_rows(gradcheck(backend, check));
  }
}

TEST_CASE("negative controls: a wrong backward is caught, for every layer") {
  const std::vector<std::pair<std::string, std::vector<Mistake>>> table{
      {"conv3d",
       {Mistake::conv_data_scaled, Mistake::conv_data_off_by_one, Mistake::conv_weights_off_by_one,
        Mistake::conv_weights_overwritten, Mistake::conv_bias_forgotten}},
      {"conv2plus1d",
       {Mistake::conv_data_scaled, Mistake::norm_relu_forgotten, Mistake::norm_frozen_formula}},
      {"batchnorm3d",
       {Mistake::norm_frozen_formula, Mistake::norm_train_formula, Mistake::norm_relu_forgotten,
        Mistake::norm_gamma_overwritten, Mistake::norm_beta_twice}},
      {"relu", {Mistake::relu_forgotten}},
      {"maxpool3d", {Mistake::pool_first_tap}},
      {"global_avgpool", {Mistake::average_not_divided}},
      {"linear",
       {Mistake::linear_data_scaled, Mistake::linear_weights_negated, Mistake::linear_bias_overwritten}},
      {"dropout", {Mistake::dropout_not_rescaled}},
      {"subsample", {Mistake::subsample_off_by_one}},
      {"residual_block",
       {Mistake::shortcut_dropped, Mistake::norm_residual_unmasked, Mistake::norm_relu_forgotten,
        Mistake::conv_data_scaled, Mistake::subsample_off_by_one}},
      {"softmax_cross_entropy",
       {Mistake::loss_smoothing_forgotten, Mistake::loss_label_forgotten,
        Mistake::loss_class_weights_forgotten}},
  };
  std::set<std::string> controlled;
  for (const auto& [layer, mistakes] : table) {
    CAPTURE(layer);
    CHECK(!caught(Mistake::none, layer));  // it is the mistake that is caught, not the saboteur
    for (const Mistake mistake : mistakes) {
      CAPTURE(static_cast<int>(mistake));
      CHECK(caught(mistake, layer));
    }
    controlled.insert(layer);
  }
  for (const GradcheckCase& check : gradcheck_layer_cases())
    CHECK_MESSAGE(controlled.contains(check.layer), check.layer);
}

TEST_CASE("of many failures the smallest layer is named, with the element and both values") {
  ReferenceBackend reference;
  CHECK(smallest_failure(gradcheck(reference, gradcheck_layer_cases().front())) == nullptr);
  for (const auto& [mistake, layer] : {std::pair{Mistake::conv_data_scaled, "conv3d"},
                                       {Mistake::norm_relu_forgotten, "batchnorm3d"},
                                       {Mistake::linear_weights_negated, "linear"},
                                       {Mistake::shortcut_dropped, "residual_block"}}) {
    CAPTURE(layer);
    Saboteur backend(reference, mistake);
    std::vector<GradcheckRow> rows;
    for (const GradcheckCase& check : gradcheck_layer_cases())
      for (GradcheckRow& row : gradcheck(backend, check)) rows.push_back(std::move(row));
    std::ranges::reverse(rows);  // the order of the cases does not matter
    const GradcheckRow* first = smallest_failure(rows);
    REQUIRE(first);
    CHECK(first->layer == layer);
    CHECK_FALSE(first->where.empty());
    CHECK(std::abs(first->backward - first->expected) / std::max(first->rms, 1e-8) ==
          doctest::Approx(first->error));
  }
}

TEST_CASE("the element with the largest error is the one that is wrong") {
  class OneWrong : public BackendDecorator {
   public:
    using BackendDecorator::BackendDecorator;
    using BackendDecorator::run;
    void run(const ConvBackwardData& op, Scratch scratch) override {
      inner().run(op, scratch);
      const Shape& s = op.dx.shape;
      op.dx.as<double>()[s.index(s.n - 1, 1, 2, 3, 0)] += 0.5;
    }
  };
  ReferenceBackend reference;
  OneWrong backend(reference);
  const GradcheckCase& check = gradcheck_layer_cases().front();
  const auto rows = gradcheck(backend, check);
  const GradcheckRow* const row = smallest_failure(rows);
  REQUIRE(row);
  CHECK(row->tensor == "input");
  CHECK(row->where == "n " + std::to_string(check.input.n - 1) + ", c 0, t 1, h 2, w 3");
  CHECK(row->backward - row->expected == doctest::Approx(0.5));
}

TEST_CASE("negative controls: a wrong backward is caught in every family") {
  ReferenceBackend reference;
  for (GradcheckCase check : gradcheck_model_cases()) {
    CAPTURE(check.layer);
    check.directions = 1;
    check.input = {3, 3, 4, 12, 11};  // smaller: the mistakes are not
    for (const auto& [mistake, expected] : {std::pair{Mistake::none, false},
                                            {Mistake::shortcut_dropped, true},
                                            {Mistake::conv_data_scaled, true}}) {
      Saboteur backend(reference, mistake);
      CHECK(caught(gradcheck(backend, check)) == expected);
    }
  }
}

TEST_CASE(
    "comparing backends: the reference in f32 agrees with itself in f64, a mistake of 0.1 % does not pass") {
  ReferenceBackend reference;
  for (const GradcheckCase& check : gradcheck_layer_cases())
    check_rows(compare_gradients(reference, reference, check));
  for (const GradcheckCase& check : gradcheck_model_cases())
    check_rows(compare_gradients(reference, reference, check));

  class Careless : public BackendDecorator {
   public:
    using BackendDecorator::BackendDecorator;
    using BackendDecorator::run;
    void run(const ConvBackwardData& op, Scratch scratch) override {
      inner().run(op, scratch);
      for (int64_t i = 0; i < op.dx.count(); ++i) op.dx.as<float>()[i] *= 1.001f;
    }
  } careless(reference);
  for (const GradcheckCase& check : gradcheck_layer_cases())
    if (check.layer == "conv3d") CHECK(caught(compare_gradients(reference, careless, check)));
  CHECK(caught(compare_gradients(reference, careless, model_case("r2plus1d"))));
}

TEST_CASE("a kink in the way is stepped around or reported, never averaged over") {
  // x = 0 exactly: no step is small enough for relu there.
  class AtKink : public Layer {
   public:
    AtKink() : Layer("at kink") {}
    Value forward(StepContext& ctx, const Value& x) override {
      Value zero = ctx.take(x.shape());
      ctx.run(SetZero{zero.tensor()});
      ctx.run(Accumulate{x.tensor(), zero.tensor()});
      if (!ctx.arena.planning()) zero.tensor().as<double>()[0] -= start(x);
      Value y = ctx.take(x.shape());
      ctx.run(ReluForward{zero.tensor(), y.tensor()});
      y_ = y;
      return y;
    }
    Value backward(StepContext& ctx, Value dy, bool) override {
      Value dx = ctx.take(dy.shape());
      ctx.run(ReluBackward{y_.tensor(), dy.tensor(), dx.tensor()});
      y_.reset();
      return dx;
    }
    void clear_saved() override { y_.reset(); }
    Shape output_shape(const Shape& x) const override { return x; }
    void collect(ParameterList&) override {}
    void describe(const Shape&, std::vector<LayerRow>&) const override {}

   private:
    double start(const Value& x) {
      if (!start_) start_ = x.tensor().as<double>()[0];
      return *start_;
    }
    std::optional<double> start_;
    Value y_;
  };
  ReferenceBackend backend;
  const GradcheckCase check{"at kink", "", [] { return std::make_unique<AtKink>(); }, Shape::vector(4)};
  const auto rows = gradcheck(backend, check);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].kinked == 1);
  CHECK(!rows[0].pass());
}

TEST_CASE("any model can be checked by name") {
  ReferenceBackend backend;
  check_rows(gradcheck(backend, gradcheck_case(model_by_name("mc3_tiny", 6), {2, 3, 2, 16, 16}, 1)));
}
