// Clips from decoded frames: layouts, scales up and down, every way of turning, parts of planes, padded
// channels.
#include <cstring>

#include "core/frame_placement.h"
#include "support/op_cases.h"

namespace laban::test::cases {
namespace {

struct Picture {
  const char* name;
  FrameKind kind;
  int width, height;        // of the luma plane
  int chroma_x, chroma_y;   // 1 where there is none
  double ratio_x, ratio_y;  // luma samples to a scaled one
  int row, column;          // the crop's corner
};

const Picture kPictures[] = {
    {"4:2:0, half size", FrameKind::yuv, 38, 30, 2, 2, 2.0, 2.0, 1, 2},
    {"4:2:0, odd extents, scaled by 0.43", FrameKind::yuv, 37, 29, 2, 2, 2.31, 2.31, 0, 0},
    {"4:2:2, enlarged", FrameKind::yuv, 13, 11, 2, 1, 0.6, 0.7, 3, 2},
    {"4:4:4, as it is", FrameKind::yuv, 20, 18, 1, 1, 1.0, 1.0, 2, 3},
    {"gray", FrameKind::gray, 31, 27, 1, 1, 2.6, 2.4, 0, 1},
    {"rgb", FrameKind::rgb, 25, 23, 1, 1, 1.7, 1.9, 1, 1},
};

constexpr int kHeight = 9, kWidth = 11, kFrames = 3;
constexpr int64_t kBytesOfFrame = 8192;

/// Frame `number` of a batch, turned in a way of its own.
FramePlacement place(const Picture& p, int number) {
  FramePlacement to;
  to.kind = p.kind;
  to.chroma_x = p.chroma_x, to.chroma_y = p.chroma_y;
  to.ratio_x = p.ratio_x, to.ratio_y = p.ratio_y;
  to.row = p.row, to.column = p.column;
  int64_t begin = number * kBytesOfFrame;
  const auto plane = [&](int width, int height, int samples) {
    FramePlane made;
    made.begin = begin;
    made.stride = width * samples + 5;
    made.width = width, made.height = height;
    begin += int64_t{made.stride} * height;
    return made;
  };
  to.planes[0] = plane(p.width, p.height, p.kind == FrameKind::rgb ? 3 : 1);
  if (p.kind == FrameKind::yuv)
    for (int k = 1; k < 3; ++k)
      to.planes[k] =
          plane((p.width + p.chroma_x - 1) / p.chroma_x, (p.height + p.chroma_y - 1) / p.chroma_y, 1);
  if (number == 0) {  // as stored
    to.columns = kWidth, to.base = 0, to.down = kWidth, to.right = 1;
  } else if (number == 1) {  // flipped
    to.columns = kWidth, to.base = kWidth - 1, to.down = kWidth, to.right = -1;
  } else {  // a quarter turn: rows run down the columns as stored
    to.columns = kHeight, to.base = (kWidth - 1) * kHeight, to.down = 1, to.right = -kHeight;
  }
  to.color = {.gain = 255.0f / 219,
              .offset = -16 * 255.0f / 219,
              .vr = 1.596f,
              .ug = -0.392f,
              .vg = -0.813f,
              .ub = 2.017f};
  return to;
}

void add_clips(std::vector<OpCase>& table, const Picture& picture, int64_t channels) {
  table.push_back({text("clips_from_frames: ", picture.name, ", ", channels, " channels"), [=](OpRig& rig) {
                     std::vector<double> placements;
                     for (int number = 0; number < kFrames; ++number) {
                       const FramePlacement placed = place(picture, number);
                       unsigned char raw[sizeof placed];
                       std::memcpy(raw, &placed, sizeof placed);
                       placements.insert(placements.end(), raw, raw + sizeof placed);
                     }
                     ClipsFromFrames op;
                     op.bytes =
                         rig.in("bytes", Shape::vector(kFrames * kBytesOfFrame), DType::u8, integers(0, 255));
                     op.placements =
                         rig.in("placements", placements_shape(kFrames), DType::u8, sequence(placements));
                     op.y = rig.out("y", {1, channels, kFrames, kHeight, kWidth}, rig.compute());
                     op.scale = {0.0174f, 0.0175f, 0.0178f};
                     op.shift = {-2.1f, -2.0f, -1.8f};
                     rig.run(op);
                   }});
}

}  // namespace

void add_frames(std::vector<OpCase>& table) {
  for (const Picture& picture : kPictures)
    for (const int64_t channels : {3, 4, 8}) add_clips(table, picture, channels);
}

}  // namespace laban::test::cases
