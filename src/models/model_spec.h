// A network as data: what the tables in the papers say, and nothing else.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace laban {

enum class ConvKind {
  full,        // one k x k x k convolution
  spatial,     // 1 x k x k; temporal stride 1 (MC3's later stages)
  factorized,  // (2+1)D: 1 x k x k, BN, ReLU, k x 1 x 1
};
enum class BlockKind { basic, bottleneck };
enum class ShortcutKind { projection /* B: 1x1x1 conv + BN */, subsample /* A: stride + zero channels */ };
enum class StemKind {
  conv3d,      // 3x7x7 s1x2x2, BN, ReLU
  factorized,  // 1x7x7 to `stem_midplanes`, BN, ReLU, 3x1x1, BN, ReLU
};
/// How (2+1)D chooses its middle channels: once per block (torchvision), or from each convolution's own
/// channels (VMZ, paper).
enum class MidplanesRule { torchvision, per_conv };

struct StageSpec {
  int blocks = 2;
  int64_t planes = 64;
  std::array<int64_t, 3> stride{1, 1, 1};  // of the first block
  ConvKind conv = ConvKind::full;
  friend bool operator==(const StageSpec&, const StageSpec&) = default;
};

/// What the members of a family leave open.
struct ModelOptions {
  ShortcutKind shortcut = ShortcutKind::projection;
  MidplanesRule midplanes = MidplanesRule::torchvision;
  double norm_eps = 1e-5;  // of every batch norm; VMZ's and other Caffe2 weights want 1e-3
  double dropout = 0;      // before the linear layer
  friend bool operator==(const ModelOptions&, const ModelOptions&) = default;
};

struct ModelSpec {
  std::string name = {};
  StemKind stem = StemKind::conv3d;
  std::array<int64_t, 3> stem_kernel{3, 7, 7};
  std::array<int64_t, 3> stem_stride{1, 2, 2};
  int64_t stem_planes = 64;
  int64_t stem_midplanes = 45;  // factorized stems only
  bool stem_max_pool = false;   // Hara's 3D ResNets: 3x3x3 s2 after the stem
  BlockKind block = BlockKind::basic;
  ModelOptions options{};
  std::vector<StageSpec> stages = {};
  int64_t classes = 400;
  friend bool operator==(const ModelSpec&, const ModelSpec&) = default;
};

}  // namespace laban
