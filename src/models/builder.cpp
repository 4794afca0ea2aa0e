#include "models/builder.h"

#include "layers/conv2plus1d.h"
#include "layers/dropout.h"
#include "layers/global_avgpool.h"
#include "layers/linear.h"
#include "layers/maxpool3d.h"
#include "layers/residual_block.h"
#include "layers/subsample.h"

namespace laban {
namespace {

using Triple = std::array<int64_t, 3>;

constexpr int64_t kExpansion = 4;  // of bottlenecks

/// A window whose padding preserves the size, apart from the stride.
Window same(const Triple& kernel, const Triple& stride) {
  return {kernel, stride, {kernel[0] / 2, kernel[1] / 2, kernel[2] / 2}};
}

void add_norm_relu(Sequential& path, const std::string& name, int64_t channels, double eps) {
  path.add<BatchNorm3d>(name, BatchNorm3dOptions{.channels = channels, .relu = true, .eps = eps});
}

void add_stem(Sequential& body, const ModelSpec& spec) {
  const auto& [kt, kh, kw] = spec.stem_kernel;
  const auto& [st, sh, sw] = spec.stem_stride;
  if (spec.stem == StemKind::conv3d) {
    body.add<Conv3d>(
        "stem.0",
        Conv3dOptions{.in = 3, .out = spec.stem_planes, .window = same({kt, kh, kw}, {st, sh, sw})});
    add_norm_relu(body, "stem.1", spec.stem_planes, spec.options.norm_eps);
  } else {
    body.add<Conv3d>(
        "stem.0",
        Conv3dOptions{.in = 3, .out = spec.stem_midplanes, .window = same({1, kh, kw}, {1, sh, sw})});
    add_norm_relu(body, "stem.1", spec.stem_midplanes, spec.options.norm_eps);
    body.add<Conv3d>("stem.3", Conv3dOptions{.in = spec.stem_midplanes,
                                             .out = spec.stem_planes,
                                             .window = same({kt, 1, 1}, {st, 1, 1})});
    add_norm_relu(body, "stem.4", spec.stem_planes, spec.options.norm_eps);
  }
  if (spec.stem_max_pool) body.add<MaxPool3d>("maxpool", same({3, 3, 3}, {2, 2, 2}));
}

/// A block's non-pointwise convolution: 3x3x3, 1x3x3 or factorized.
void add_conv(Sequential& path, const std::string& name, ConvKind kind, int64_t in, int64_t middle,
              int64_t out, const Triple& stride, double eps) {
  switch (kind) {
    case ConvKind::full:
      path.add<Conv3d>(name, Conv3dOptions{.in = in, .out = out, .window = same({3, 3, 3}, stride)});
      return;
    case ConvKind::spatial:
      path.add<Conv3d>(name, Conv3dOptions{.in = in, .out = out, .window = same({1, 3, 3}, stride)});
      return;
    case ConvKind::factorized:
      path.add<Conv2Plus1d>(
          name, Conv2Plus1dOptions{
                    .in = in, .middle = middle, .out = out, .window = same({3, 3, 3}, stride), .eps = eps});
      return;
  }
}

void add_pointwise(Sequential& path, const std::string& name, int64_t in, int64_t out) {
  path.add<Conv3d>(name, Conv3dOptions{.in = in, .out = out});
}

/// Null (the identity) if the block does not change the shape.
std::unique_ptr<Layer> make_shortcut(const ModelSpec& spec, const std::string& name, int64_t in, int64_t out,
                                     const Triple& stride) {
  if (in == out && stride == Triple{1, 1, 1}) return nullptr;
  if (spec.options.shortcut == ShortcutKind::subsample)
    return std::make_unique<Subsample>(name, in, out, stride);
  auto projection = std::make_unique<Sequential>(name);
  projection->add<Conv3d>(name + ".0",
                          Conv3dOptions{.in = in, .out = out, .window = {{1, 1, 1}, stride, {0, 0, 0}}});
  projection->add<BatchNorm3d>(name + ".1",
                               BatchNorm3dOptions{.channels = out, .eps = spec.options.norm_eps});
  return projection;
}

std::unique_ptr<Layer> make_block(const ModelSpec& spec, const StageSpec& stage, const std::string& name,
                                  int64_t in, const Triple& stride) {
  const int64_t planes = stage.planes;
  const double eps = spec.options.norm_eps;
  const bool per_conv = spec.options.midplanes == MidplanesRule::per_conv;
  auto main = std::make_unique<Sequential>(name);
  int64_t out = planes;
  std::string last = name + ".conv2.1";
  if (spec.block == BlockKind::basic) {
    const int64_t first_middle = matched_midplanes(in, planes);
    const int64_t second_middle = per_conv ? matched_midplanes(planes, planes) : first_middle;
    add_conv(*main, name + ".conv1.0", stage.conv, in, first_middle, planes, stride, eps);
    add_norm_relu(*main, name + ".conv1.1", planes, eps);
    add_conv(*main, name + ".conv2.0", stage.conv, planes, second_middle, planes, {1, 1, 1}, eps);
  } else {
    out = planes * kExpansion;
    last = name + ".conv3.1";
    add_pointwise(*main, name + ".conv1.0", in, planes);
    add_norm_relu(*main, name + ".conv1.1", planes, eps);
    add_conv(*main, name + ".conv2.0", stage.conv, planes, matched_midplanes(per_conv ? planes : in, planes),
             planes, stride, eps);
    add_norm_relu(*main, name + ".conv2.1", planes, eps);
    add_pointwise(*main, name + ".conv3.0", planes, out);
  }
  return std::make_unique<ResidualBlock>(
      name, std::move(main),
      std::make_unique<BatchNorm3d>(last, BatchNorm3dOptions{.channels = out, .relu = true, .eps = eps}),
      make_shortcut(spec, name + ".downsample", in, out, stride));
}

void validate(const ModelSpec& spec) {
  const auto fail = [&](const std::string& what) { throw Error(text("model ", spec.name, ": ", what), ""); };
  if (spec.classes < 1) fail(text("needs at least one class, has ", spec.classes));
  if (spec.stages.empty()) fail("has no stages");
  for (const int64_t k : spec.stem_kernel)
    if (k < 1 || k % 2 == 0) fail(text("stem kernel sizes must be odd, one is ", k));
  for (const StageSpec& stage : spec.stages) {
    if (stage.blocks < 1 || stage.planes < 1)
      fail(text("a stage of ", stage.blocks, " blocks with ", stage.planes, " planes"));
    if (stage.conv == ConvKind::spatial && stage.stride[0] != 1)
      fail(text("a spatial stage cannot have the temporal stride ", stage.stride[0]));
  }
}

}  // namespace

std::unique_ptr<Sequential> build_layers(const ModelSpec& spec) {
  validate(spec);
  auto body = std::make_unique<Sequential>(spec.name);
  add_stem(*body, spec);
  int64_t channels = spec.stem_planes;
  for (size_t s = 0; s < spec.stages.size(); ++s) {
    const StageSpec& stage = spec.stages[s];
    for (int b = 0; b < stage.blocks; ++b) {
      body->add(make_block(spec, stage, text("layer", s + 1, '.', b), channels,
                           b == 0 ? stage.stride : Triple{1, 1, 1}));
      channels = stage.planes * (spec.block == BlockKind::bottleneck ? kExpansion : 1);
    }
  }
  body->add<GlobalAvgPool>("avgpool");
  if (spec.options.dropout > 0) body->add<DropoutLayer>("dropout", spec.options.dropout);
  body->add<Linear>("fc", channels, spec.classes);
  return body;
}

}  // namespace laban
