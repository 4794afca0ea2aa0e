// Mixed convolutions (Tran et al. 2018, section 3.3 and figure 1b, 1c).
//
// MC3: motion early, in the stem and stage 1; appearance after it. The later stages see one frame at a time,
// so no frame is lost on the way.
//
// rMC3, "reversed": appearance early, motion later. The stem and stage 1 see one frame at a time; stages 2 to
// 4 are those of R3D. (The paper counts the stem as group 1, so its "3" is the first group of the other kind:
// stage 2 here.)
#include "models/families.h"

namespace laban {

std::vector<ModelSpec> mc3_family() {
  using enum ConvKind;
  ModelSpec r18{.name = "mc3_18"};  // a clip of 16 x 112 x 112 becomes
  r18.stem_kernel = {3, 7, 7};      //   16 x 56 x 56 x 64
  r18.stages = {
      {.blocks = 2, .planes = 64, .stride = {1, 1, 1}, .conv = full},      // 16 x 56 x 56
      {.blocks = 2, .planes = 128, .stride = {1, 2, 2}, .conv = spatial},  // 16 x 28 x 28
      {.blocks = 2, .planes = 256, .stride = {1, 2, 2}, .conv = spatial},  // 16 x 14 x 14
      {.blocks = 2, .planes = 512, .stride = {1, 2, 2}, .conv = spatial},  // 16 x  7 x  7
  };

  ModelSpec reversed{.name = "rmc3_18"};
  reversed.stem_kernel = {1, 7, 7};  //   16 x 56 x 56 x 64
  reversed.stages = {
      {.blocks = 2, .planes = 64, .stride = {1, 1, 1}, .conv = spatial},  // 16 x 56 x 56
      {.blocks = 2, .planes = 128, .stride = {2, 2, 2}, .conv = full},    //  8 x 28 x 28
      {.blocks = 2, .planes = 256, .stride = {2, 2, 2}, .conv = full},    //  4 x 14 x 14
      {.blocks = 2, .planes = 512, .stride = {2, 2, 2}, .conv = full},    //  2 x  7 x  7
  };

  ModelSpec tiny{.name = "mc3_tiny"};  // 16 x 56 x 56 becomes
  tiny.stem_kernel = {3, 5, 5};        //   16 x 28 x 28 x 16
  tiny.stem_planes = 16;
  tiny.stages = {
      {.blocks = 1, .planes = 16, .stride = {1, 1, 1}, .conv = full},      // 16 x 28 x 28
      {.blocks = 1, .planes = 32, .stride = {1, 2, 2}, .conv = spatial},   // 16 x 14 x 14
      {.blocks = 1, .planes = 64, .stride = {1, 2, 2}, .conv = spatial},   // 16 x  7 x  7
      {.blocks = 1, .planes = 128, .stride = {1, 2, 2}, .conv = spatial},  // 16 x  4 x  4
  };
  return {r18, reversed, tiny};
}

}  // namespace laban
