#include "weights/foreign_model.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"

namespace laban {
namespace {

/// A model and pieces of names that all occur in its files; each begins where a part of a name begins.
struct Signature {
  std::string_view model, first, second;
};

// As published; the more specific come first.
constexpr std::array kSignatures{
    Signature{"SlowFast, as in PySlowFast", "s1.pathway1_stem.", ""},
    Signature{"X3D, as in PySlowFast", "s1.pathway0_stem.conv_xy.", ""},
    Signature{"Slow, I3D or C2D, as in PySlowFast", "s1.pathway0_stem.conv.", ""},
    Signature{"SlowFast, as in PyTorchVideo", "blocks.0.multipathway_blocks.", ""},
    Signature{"X3D, as in PyTorchVideo", "blocks.0.conv.conv_t.", ""},
    Signature{"a 3D ResNet as in PyTorchVideo (Slow, R(2+1)D, CSN)", "blocks.1.res_blocks.0.", ""},
    Signature{"SlowFast, as in mmaction2", "slow_path.conv1.", "fast_path.conv1."},
    Signature{"X3D, as in mmaction2", "conv1_s.conv.", "conv1_t.conv."},
    Signature{"R(2+1)D as in mmaction2, which differs from VMZ's in its stem and has a max-pool",
              "conv1.conv.conv_s.", ""},
    Signature{"TSM", "conv1.net.weight", ""},
    Signature{"TSM, as in mmaction2", "conv1.conv.net.weight", ""},
    Signature{"C3D", "conv3a.", "conv5b."},
    Signature{"C3D", "conv3a.", "fc6."},
    Signature{"I3D", "Conv3d_1a_7x7.", "Mixed_3b."},
    Signature{"I3D", "conv3d_1a_7x7.", "mixed_3b."},
    Signature{"S3D, as in MIL-NCE", "mixed_3b.conv_b", ""},
    Signature{"S3D", "base.0.conv_s.", ""},
    Signature{"S3D, as in torchvision", "features.0.0.0.weight", "classifier.1.weight"},
    Signature{"MViT, as in torchvision", "conv_proj.", "pos_encoding."},
    Signature{"MViT, as in PySlowFast", "patch_embed.proj.", "blocks.0.attn.pool_"},
    Signature{"MViT, as in PyTorchVideo", "cls_positional_encoding.", "blocks.0.attn."},
    Signature{"Video Swin", "features.0.0.attn.relative_position_bias_table", ""},
    Signature{"Video Swin", "layers.0.blocks.0.attn.relative_position_bias_table", ""},
    Signature{"VideoMAE, as in Transformers", "videomae.", ""},
    Signature{"VideoMAE", "patch_embed.proj.", "blocks.0.attn.q_bias"},
    Signature{"TimeSformer, as in Transformers", "timesformer.", ""},
    Signature{"TimeSformer", "blocks.0.temporal_attn.", ""},
    Signature{"ViViT, as in Transformers", "vivit.", ""},
    Signature{"UniFormer", "patch_embed1.proj.", "blocks1.0."},
    Signature{"a vision transformer", "patch_embed.proj.", "blocks.0.attn."},
    Signature{"CLIP", "visual.transformer.resblocks.0.", ""},
    Signature{"R(2+1)D, as in pytorch-video-recognition", "res2plus1d.", ""},
    Signature{"R3D, as in pytorch-video-recognition", "res3d.", ""},
    Signature{"R(2+1)D, as in 3D-ResNets-PyTorch", "conv1_s.weight", "bn1_s."},
    Signature{"DenseNet, as in 3D-ResNets-PyTorch", "features.denseblock1.", ""},
    Signature{"I3D or SlowOnly, as in mmaction2", "layer1.0.conv1.conv.weight", ""},
};

/// The first tensor whose name has `piece` where a part of the name begins; empty where there is none.
std::string with_piece(const StateDict& state, std::string_view piece) {
  for (const auto& [name, tensor] : state.tensors())
    for (size_t at = name.find(piece); at != name.npos; at = name.find(piece, at + 1))
      if (at == 0 || name[at - 1] == '.') return name;
  return "";
}

std::string seen_by(std::string_view model, const std::string& tensor, const StateDict& state) {
  const auto& shape = state.tensors().at(tensor).shape;
  std::string extents;
  for (const int64_t extent : shape) extents += text(extents.empty() ? "" : ", ", extent);
  return text(model, " (it has '", tensor, "' [", extents, "])");
}

}  // namespace

std::string foreign_model(const StateDict& state) {
  for (const Signature& signature : kSignatures) {
    const std::string tensor = with_piece(state, signature.first);
    if (!tensor.empty() && (signature.second.empty() || !with_piece(state, signature.second).empty()))
      return seen_by(signature.model, tensor, state);
  }
  // By shapes, where the names are those of any ResNet.
  std::string picture_kernel;
  bool video_kernels = false;
  for (const auto& [name, tensor] : state.tensors()) {
    const auto& shape = tensor.shape;
    if (!name.ends_with(".weight")) continue;
    if (shape.size() == 4 && picture_kernel.empty()) picture_kernel = name;
    if (shape.size() != 5) continue;
    video_kernels = true;
    const bool in_block = name.find("conv2") != name.npos;
    if (in_block && shape[1] == 1 && shape[0] > 1 && shape[2] * shape[3] * shape[4] > 1)
      return seen_by("CSN, whose convolutions are channel-separated", name, state);
    if (name.ends_with(".conv2.weight") && shape[1] > 1 && shape[0] >= 8 * shape[1])
      return seen_by("ResNeXt, whose convolutions are grouped", name, state);
  }
  if (!picture_kernel.empty() && !video_kernels)
    return seen_by("a network of 2-D convolutions, for pictures", picture_kernel, state);
  return "";
}

}  // namespace laban
