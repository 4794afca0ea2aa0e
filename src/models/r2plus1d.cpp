// R(2+1)D: every 3-D convolution factorized into space, then time (Tran et al. 2018, section 3.5 and figure
// 1e).
#include "models/families.h"

namespace laban {

std::vector<ModelSpec> r2plus1d_family() {
  using enum ConvKind;
  ModelSpec r18{.name = "r2plus1d_18", .stem = StemKind::factorized};  // a clip of 16 x 112 x 112 becomes
  r18.stem_kernel = {3, 7, 7};                                         //   16 x 56 x 56 x 64
  r18.stem_midplanes = 45;  // as published; the rule for the other convolutions would give 83
  r18.stages = {
      {.blocks = 2, .planes = 64, .stride = {1, 1, 1}, .conv = factorized},   // 16 x 56 x 56
      {.blocks = 2, .planes = 128, .stride = {2, 2, 2}, .conv = factorized},  //  8 x 28 x 28
      {.blocks = 2, .planes = 256, .stride = {2, 2, 2}, .conv = factorized},  //  4 x 14 x 14
      {.blocks = 2, .planes = 512, .stride = {2, 2, 2}, .conv = factorized},  //  2 x  7 x  7
  };

  ModelSpec tiny{.name = "r2plus1d_tiny", .stem = StemKind::factorized};  // 16 x 56 x 56 becomes
  tiny.stem_kernel = {3, 5, 5};                                           //   16 x 28 x 28 x 16
  tiny.stem_planes = 16;
  tiny.stem_midplanes = 16;
  tiny.stages = {
      {.blocks = 1, .planes = 16, .stride = {1, 1, 1}, .conv = factorized},   // 16 x 28 x 28
      {.blocks = 1, .planes = 32, .stride = {2, 2, 2}, .conv = factorized},   //  8 x 14 x 14
      {.blocks = 1, .planes = 64, .stride = {2, 2, 2}, .conv = factorized},   //  4 x  7 x  7
      {.blocks = 1, .planes = 128, .stride = {2, 2, 2}, .conv = factorized},  //  2 x  4 x  4
  };
  return {r18, with_blocks(r18, "r2plus1d_34", {3, 4, 6, 3}),
          with_blocks(r18, "r2plus1d_50", {3, 4, 6, 3}, BlockKind::bottleneck), tiny};
}

}  // namespace laban
