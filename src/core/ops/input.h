// The network's input.
#pragma once

#include <array>

#include "core/ops/op.h"

namespace laban {

/// Clips from decoded frames, in one pass: resize, crop, turn, color, (value/255 - mean)/std as value*scale +
/// shift. math/frame_pixel.h has the formula of a pixel.
struct ClipsFromFrames {
  static constexpr std::string_view kName = "clips_from_frames";
  Tensor bytes;       // u8: planes of all frames, as decoded
  Tensor placements;  // u8: a FramePlacement (core/frame_placement.h) for each of the n*t frames
  Tensor y;           // n x t x h x w x 3, or with more channels, which become zero
  std::array<float, 3> scale{1, 1, 1}, shift{0, 0, 0};

  void visit(auto&& f) {
    f("bytes", bytes, TensorUse::read);
    f("placements", placements, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({bytes, y}, y.shape); }
};

/// Pairs of clips in one (mixup, cutmix). Clip n with its partner m = partner[n]:
///
///   y[n] = x[m]                                       inside the box of rows top to bottom and columns left to
///                                                     right (ends not included)
///   y[n] = fraction[n]*x[n] + (1-fraction[n])*x[m]    elsewhere (math/mix.h)
///
/// Channels of padding stay zero.
struct MixClips {
  static constexpr std::string_view kName = "mix_clips";
  Tensor x, y;      // of one shape and type; never the same memory
  Tensor partner;   // i32 vector of n
  Tensor fraction;  // master dtype, vector of n
  Tensor box;       // i32, n x 4: top, left, bottom, right

  void visit(auto&& f) {
    f("x", x, TensorUse::read);
    f("partner", partner, TensorUse::read);
    f("fraction", fraction, TensorUse::read);
    f("box", box, TensorUse::read);
    f("y", y, TensorUse::written);
  }
  OpCost cost() const { return moving({x, x, y}, x.shape); }
};

using InputOps = OpList<ClipsFromFrames, MixClips>;

}  // namespace laban
