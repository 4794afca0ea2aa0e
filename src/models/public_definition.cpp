#include "models/summary.h"

#include "models/families.h"

namespace laban {
namespace {

bool same_but_for_options(const ModelSpec& a, ModelSpec b) {
  b.options = a.options;
  b.classes = a.classes;
  return a == b;
}

bool is_named_member(const ModelSpec& spec) {
  for (const std::string& name : model_names())
    if (spec.name == name) return same_but_for_options(spec, model_by_name(name, spec.classes));
  return false;
}

}  // namespace

std::string public_definition(const ModelSpec& spec) {
  const std::string none = "none: laban's own";
  if (!is_named_member(spec) || spec.name.ends_with("_tiny")) return none;
  const std::string depth = spec.name.substr(spec.name.rfind('_') + 1);
  const std::string block = spec.block == BlockKind::bottleneck ? "Bottleneck" : "BasicBlock";
  const bool caffe = spec.options.norm_eps == 1e-3, usual = spec.options.norm_eps == 1e-5;
  if (!caffe && !usual) return none + " (batch norm eps)";

  if (spec.name.starts_with("resnet3d")) {
    if (!usual) return none + " (batch norm eps)";
    return text("Hara et al.'s 3D-ResNets-PyTorch, resnet, depth ", depth, ", shortcut ",
                spec.options.shortcut == ShortcutKind::subsample ? "A" : "B");
  }
  if (spec.options.shortcut != ShortcutKind::projection) return none + " (shortcut A)";
  if (spec.name == "rmc3_18")
    return caffe ? "VMZ's rmc3, depth 18 (Tran et al. 2018, rMC3)"
                 : "Tran et al. 2018, rMC3; as torchvision's VideoResNet with a 1x7x7 stem";
  if (caffe) {
    const bool vmz = spec.name.starts_with("r2plus1d") ? spec.options.midplanes == MidplanesRule::per_conv
                                                       : spec.block == BlockKind::basic;
    return vmz ? text("VMZ's ", spec.name.substr(0, spec.name.rfind('_')), ", depth ", depth) : none;
  }
  if (spec.name.starts_with("r2plus1d") && spec.options.midplanes == MidplanesRule::per_conv)
    return text("Tran et al. 2018, R(2+1)D-", depth,
                " with midplanes per convolution; with --norm-eps 1e-3, VMZ's");
  if (depth == "18") return "torchvision.models.video." + spec.name;
  return text("torchvision's VideoResNet with ", block, ", 3-4-6-3 blocks and the components of ",
              spec.name.substr(0, spec.name.rfind('_')), "_18");
}

}  // namespace laban
