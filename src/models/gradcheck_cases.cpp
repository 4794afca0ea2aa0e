// What is checked: every layer in its variants, with odd sizes, and a small member of every model family.
#include "layers/conv2plus1d.h"
#include "layers/dropout.h"
#include "layers/global_avgpool.h"
#include "layers/linear.h"
#include "layers/maxpool3d.h"
#include "layers/relu.h"
#include "layers/residual_block.h"
#include "layers/softmax_cross_entropy.h"
#include "layers/subsample.h"
#include "models/builder.h"
#include "models/families.h"
#include "models/gradcheck.h"

namespace laban {
namespace {

constexpr int64_t kClasses = 5;

/// The loss as a layer: from logits to one loss per sample. Its cotangent is 1 (GradcheckCase::is_loss).
class LossLayer : public Layer {
 public:
  explicit LossLayer(double smoothing, bool mixed = false, bool weighted = false)
      : Layer("loss"), smoothing_(smoothing), mixed_(mixed), weighted_(weighted) {}

  Value forward(StepContext& ctx, const Value& x) override {
    const int64_t samples = x.shape().n;
    const auto fill = [&](const Value& value, const auto& values) {
      if (!ctx.arena.planning()) ctx.backend.upload(value.tensor(), values.data());
    };
    std::vector<int32_t> labels, others;
    std::vector<double> fractions;
    for (int64_t n = 0; n < samples; ++n) {
      labels.push_back(static_cast<int32_t>((2 * n + 1) % kClasses));
      others.push_back(static_cast<int32_t>(3 * n % kClasses));
      fractions.push_back(static_cast<double>(n + 1) / static_cast<double>(samples + 1));
    }
    const auto fill_master = [&](const Value& value, const std::vector<double>& values) {
      if (ctx.master() == DType::f64)
        fill(value, values);
      else
        fill(value, std::vector<float>(values.begin(), values.end()));
    };
    Targets targets{ctx.take(Shape::vector(samples), DType::i32), {}, {}};
    fill(targets.labels, labels);
    if (mixed_) {
      targets.other_labels = ctx.take(Shape::vector(samples), DType::i32);
      targets.fraction = ctx.take(Shape::vector(samples), ctx.master());
      fill(targets.other_labels, others);
      fill_master(targets.fraction, fractions);
    }
    if (weighted_) {
      targets.class_weights = ctx.take(Shape::vector(x.shape().c), ctx.master());
      std::vector<double> weights;
      for (int64_t k = 0; k < x.shape().c; ++k) weights.push_back(0.25 + 0.75 * static_cast<double>(k));
      fill_master(targets.class_weights, weights);
    }
    return loss_.forward(ctx, x, targets, smoothing_, 1.0);
  }
  Value backward(StepContext&, Value, bool need_dx) override {
    Value dx = loss_.backward();
    return need_dx ? dx : Value();
  }
  void clear_saved() override { loss_.clear_saved(); }
  Shape output_shape(const Shape& x) const override { return Shape::vector(x.n); }
  void collect(ParameterList&) override {}
  void describe(const Shape&, std::vector<LayerRow>&) const override {}

 private:
  double smoothing_;
  bool mixed_, weighted_;
  SoftmaxCrossEntropyLoss loss_;
};

using Make = std::function<std::unique_ptr<Layer>()>;

Make conv(const Conv3dOptions& options) {
  return [=] { return std::make_unique<Conv3d>("conv", options); };
}
Make norm(bool relu) {
  return
      [=] { return std::make_unique<BatchNorm3d>("norm", BatchNorm3dOptions{.channels = 3, .relu = relu}); };
}

/// The shortcut of a residual block in a case.
enum class Shortcut { identity, projection, subsample };

/// A small block, built as in models/builder.cpp; bottlenecks have an expansion of 2.
Make block(BlockKind kind, Shortcut shortcut) {
  return [=]() -> std::unique_ptr<Layer> {
    const bool changes = shortcut != Shortcut::identity, basic = kind == BlockKind::basic;
    const int64_t in = changes ? 3 : 4, planes = basic ? (changes ? 5 : 4) : 2,
                  out = basic ? planes : 2 * planes;
    const std::array<int64_t, 3> stride =
        changes ? std::array<int64_t, 3>{2, 2, 2} : std::array<int64_t, 3>{1, 1, 1};
    const Window wide{{3, 3, 3}, stride, {1, 1, 1}}, same{{3, 3, 3}, {1, 1, 1}, {1, 1, 1}};
    auto main = std::make_unique<Sequential>("block");
    if (basic) {
      main->add<Conv3d>("conv1.0", Conv3dOptions{.in = in, .out = planes, .window = wide});
      main->add<BatchNorm3d>("conv1.1", BatchNorm3dOptions{.channels = planes, .relu = true});
      main->add<Conv3d>("conv2.0", Conv3dOptions{.in = planes, .out = out, .window = same});
    } else {
      main->add<Conv3d>("conv1.0", Conv3dOptions{.in = in, .out = planes});
      main->add<BatchNorm3d>("conv1.1", BatchNorm3dOptions{.channels = planes, .relu = true});
      main->add<Conv3d>("conv2.0", Conv3dOptions{.in = planes, .out = planes, .window = wide});
      main->add<BatchNorm3d>("conv2.1", BatchNorm3dOptions{.channels = planes, .relu = true});
      main->add<Conv3d>("conv3.0", Conv3dOptions{.in = planes, .out = out});
    }
    auto last = std::make_unique<BatchNorm3d>("last", BatchNorm3dOptions{.channels = out, .relu = true});
    std::unique_ptr<Layer> side;
    if (shortcut == Shortcut::subsample) side = std::make_unique<Subsample>("downsample", in, out, stride);
    if (shortcut == Shortcut::projection) {
      auto projection = std::make_unique<Sequential>("downsample");
      projection->add<Conv3d>("downsample.0",
                              Conv3dOptions{.in = in, .out = out, .window = {{1, 1, 1}, stride, {}}});
      projection->add<BatchNorm3d>("downsample.1", BatchNorm3dOptions{.channels = out});
      side = std::move(projection);
    }
    return std::make_unique<ResidualBlock>("block", std::move(main), std::move(last), std::move(side));
  };
}

Make loss(double smoothing, bool mixed = false, bool weighted = false) {
  return [=] { return std::make_unique<LossLayer>(smoothing, mixed, weighted); };
}
template <class T, class... Arguments>
Make plain(Arguments... arguments) {
  return [=] { return std::make_unique<T>("layer", arguments...); };
}

ModelSpec narrow(std::string_view family, std::string name) {
  ModelSpec spec = model_by_name(family, kClasses);
  spec.name = std::move(name);
  spec.stem_planes = 4;
  spec.stem_midplanes = 3;
  for (size_t i = 0; i < spec.stages.size(); ++i) spec.stages[i].planes = 4 + 2 * static_cast<int64_t>(i);
  return spec;
}

ModelSpec with_bottlenecks(ModelSpec spec) {
  spec.block = BlockKind::bottleneck;
  for (StageSpec& stage : spec.stages) stage.planes = 3;
  return spec;
}

/// Hara et al.'s stem (7x7x7, max-pool) and shortcut A.
ModelSpec hara(ModelSpec spec) {
  spec.stem_kernel = {7, 7, 7};
  spec.stem_max_pool = true;
  spec.options.shortcut = ShortcutKind::subsample;
  spec.stages.resize(2);
  return spec;
}

}  // namespace

const std::vector<GradcheckCase>& gradcheck_layer_cases() {
  using enum BlockKind;
  const Shape x{2, 3, 3, 5, 4};
  const Window pool{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}};
  static const std::vector<GradcheckCase> cases{
      {"conv3d",
       "3x3x3 stride 2x1x2, bias",
       conv({.in = 3, .out = 4, .window = {{3, 3, 3}, {2, 1, 2}, {1, 1, 1}}, .bias = true}),
       {2, 3, 4, 5, 5}},
      {"conv3d",
       "1x3x3 stride 1x2x2",
       conv({.in = 3, .out = 2, .window = {{1, 3, 3}, {1, 2, 2}, {0, 1, 1}}}),
       {2, 3, 3, 5, 6}},
      {"conv3d",
       "3x1x1 stride 2x1x1",
       conv({.in = 2, .out = 3, .window = {{3, 1, 1}, {2, 1, 1}, {1, 0, 0}}}),
       {2, 2, 5, 3, 4}},
      {"conv3d",
       "1x1x1 stride 2x2x2",
       conv({.in = 3, .out = 2, .window = {{1, 1, 1}, {2, 2, 2}, {}}}),
       {2, 3, 3, 5, 4}},
      {"conv3d",
       "2x3x4, padding 0x2x1, bias",
       conv({.in = 2, .out = 2, .window = {{2, 3, 4}, {1, 3, 1}, {0, 2, 1}}, .bias = true}),
       {1, 2, 3, 4, 5}},
      {"conv2plus1d",
       "3x3x3 stride 2x2x2",
       plain<Conv2Plus1d>(
           Conv2Plus1dOptions{.in = 3, .middle = 5, .out = 4, .window = {{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}}),
       {2, 3, 5, 5, 4}},
      {"batchnorm3d", "train", norm(false), x},
      {"batchnorm3d", "train, relu", norm(true), x},
      {"batchnorm3d", "frozen", norm(false), x, Mode::frozen},
      {"batchnorm3d", "frozen, relu", norm(true), x, Mode::frozen},
      {"relu", "", plain<Relu>(), x},
      {"maxpool3d", "3x3x3 stride 2, padding 1", plain<MaxPool3d>(pool), {2, 3, 4, 5, 5}},
      {"maxpool3d", "1x2x2 stride 1x2x2", plain<MaxPool3d>(Window{{1, 2, 2}, {1, 2, 2}, {}}), x},
      {"global_avgpool", "", plain<GlobalAvgPool>(), x},
      {"linear", "", plain<Linear>(int64_t{6}, int64_t{4}), Shape::matrix(3, 6)},
      {"dropout", "p 0.4", plain<DropoutLayer>(0.4), x},
      {"dropout", "frozen: drops nothing", plain<DropoutLayer>(0.4), x, Mode::frozen},
      {"subsample", "stride 2x2x2, 3 to 5 channels",
       plain<Subsample>(int64_t{3}, int64_t{5}, std::array<int64_t, 3>{2, 2, 2}), x},
      {"residual_block", "basic, identity", block(basic, Shortcut::identity), {2, 4, 3, 4, 3}},
      {"residual_block", "basic, projection", block(basic, Shortcut::projection), {2, 3, 4, 5, 3}},
      {"residual_block", "basic, subsample", block(basic, Shortcut::subsample), {2, 3, 4, 5, 3}},
      {"residual_block", "bottleneck, identity", block(bottleneck, Shortcut::identity), {2, 4, 3, 4, 3}},
      {"residual_block", "bottleneck, projection", block(bottleneck, Shortcut::projection), {2, 3, 4, 5, 3}},
      {"residual_block",
       "basic, projection, frozen",
       block(basic, Shortcut::projection),
       {2, 3, 4, 5, 3},
       Mode::frozen},
      {"softmax_cross_entropy", "", loss(0), Shape::matrix(4, kClasses), Mode::train, true},
      {"softmax_cross_entropy", "smoothing 0.1", loss(0.1), Shape::matrix(4, kClasses), Mode::train, true},
      {"softmax_cross_entropy", "mixed clips, smoothing 0.1", loss(0.1, true), Shape::matrix(4, kClasses),
       Mode::train, true},
      {"softmax_cross_entropy", "class weights, mixed clips, smoothing 0.1", loss(0.1, true, true),
       Shape::matrix(4, kClasses), Mode::train, true},
  };
  return cases;
}

GradcheckCase gradcheck_case(const ModelSpec& spec, const Shape& clips, int directions) {
  require(spec.classes >= kClasses, "gradcheck_case: the labels are 0 to 4");
  const Make make = [=] {
    std::unique_ptr<Sequential> model = build_layers(spec);
    model->add<LossLayer>(0.1);
    return model;
  };
  const std::string variant = text("clips of ", clips.t, "x", clips.h, "x", clips.w);
  return {spec.name, variant, make, clips, Mode::train, true, directions};
}

const std::vector<GradcheckCase>& gradcheck_model_cases() {
  const Shape clips{3, 3, 5, 18, 17};
  const auto dropped = [](ModelSpec spec) {
    spec.options.dropout = 0.3;
    return spec;
  };
  static const std::vector<GradcheckCase> cases{
      gradcheck_case(narrow("r3d_tiny", "r3d"), clips, 2),
      gradcheck_case(narrow("mc3_tiny", "mc3"), clips, 2),
      gradcheck_case(dropped(narrow("r2plus1d_tiny", "r2plus1d")), clips, 2),
      gradcheck_case(with_bottlenecks(narrow("r3d_tiny", "r3d_bottleneck")), clips, 2),
      gradcheck_case(with_bottlenecks(narrow("r2plus1d_tiny", "r2plus1d_bottleneck")), clips, 2),
      gradcheck_case(hara(narrow("r3d_tiny", "resnet3d")), clips, 2),
  };
  return cases;
}

}  // namespace laban
