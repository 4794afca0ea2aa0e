// R3D: residual networks of 3-D convolutions (Tran et al. 2018, "A closer look at spatiotemporal convolutions
// for action recognition", table 1 and figure 1d). torchvision defines r3d_18; its VideoResNet with other
// blocks gives the deeper ones.
#include "models/families.h"

namespace laban {

std::vector<ModelSpec> r3d_family() {
  ModelSpec r18{.name = "r3d_18"};  // a clip of 16 x 112 x 112 becomes
  r18.stem_kernel = {3, 7, 7};      //   16 x 56 x 56 x 64
  r18.stages = {
      {.blocks = 2, .planes = 64, .stride = {1, 1, 1}},   // 16 x 56 x 56
      {.blocks = 2, .planes = 128, .stride = {2, 2, 2}},  //  8 x 28 x 28
      {.blocks = 2, .planes = 256, .stride = {2, 2, 2}},  //  4 x 14 x 14
      {.blocks = 2, .planes = 512, .stride = {2, 2, 2}},  //  2 x  7 x  7
  };

  ModelSpec tiny{.name = "r3d_tiny"};  // for small clips and small machines: 16 x 56 x 56 becomes
  tiny.stem_kernel = {3, 5, 5};        //   16 x 28 x 28 x 16
  tiny.stem_planes = 16;
  tiny.stages = {
      {.blocks = 1, .planes = 16, .stride = {1, 1, 1}},   // 16 x 28 x 28
      {.blocks = 1, .planes = 32, .stride = {2, 2, 2}},   //  8 x 14 x 14
      {.blocks = 1, .planes = 64, .stride = {2, 2, 2}},   //  4 x  7 x  7
      {.blocks = 1, .planes = 128, .stride = {2, 2, 2}},  //  2 x  4 x  4
  };
  return {r18, with_blocks(r18, "r3d_34", {3, 4, 6, 3}),
          with_blocks(r18, "r3d_50", {3, 4, 6, 3}, BlockKind::bottleneck), tiny};
}

}  // namespace laban
