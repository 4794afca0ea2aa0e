// 3D ResNets of Hara et al. 2018, "Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?",
// table 1. Unlike R3D, they have a stem of 7 frames followed by a max-pool, which halves time as well as
// space, so that a forward pass costs a fifth. Shortcut B by default; the 18- and 34-layer networks of 2017
// used shortcut A.
#include "models/families.h"

namespace laban {

std::vector<ModelSpec> resnet3d_family() {
  ModelSpec r18{.name = "resnet3d_18"};  // a clip of 16 x 112 x 112 becomes
  r18.stem_kernel = {7, 7, 7};           //   16 x 56 x 56 x 64, and by the max-pool
  r18.stem_max_pool = true;              //    8 x 28 x 28
  r18.stages = {
      {.blocks = 2, .planes = 64, .stride = {1, 1, 1}},   //  8 x 28 x 28
      {.blocks = 2, .planes = 128, .stride = {2, 2, 2}},  //  4 x 14 x 14
      {.blocks = 2, .planes = 256, .stride = {2, 2, 2}},  //  2 x  7 x  7
      {.blocks = 2, .planes = 512, .stride = {2, 2, 2}},  //  1 x  4 x  4
  };
  return {r18, with_blocks(r18, "resnet3d_34", {3, 4, 6, 3}),
          with_blocks(r18, "resnet3d_50", {3, 4, 6, 3}, BlockKind::bottleneck)};
}

}  // namespace laban
