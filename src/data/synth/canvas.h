// Antialiased drawing of shaded limbs and cloth onto a small color canvas.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/synth/geometry.h"

namespace laban::synth {

/// A tapered round limb (or a piece of cloth) as the camera sees it. Lengths in pixels, x to the right, y
/// down. Colors may differ between the body's front and back, to show which way a dancer faces.
struct Stroke {
  enum class Form {
    limb,   // round ends
    cloth,  // cut off at both ends, the second a curved hem, with folds
  };
  Vec2 a, b;
  float radius_a = 1, radius_b = 1;
  float depth = 0;  // meters from the camera; nearer strokes are drawn over farther ones
  Form form = Form::limb;
  Color back, front;
  Vec3 facing;           // the body's forward direction in view space (x right, y up, z towards the camera)
  float front_from = 2;  // the surface is `front` where normal . facing exceeds this; 2: nowhere
  float fold_phase = 0;  // cloth only: where the folds lie, radians
};

struct Lighting {
  Vec3 direction;  // towards the light, view space, unit length
  float ambient = 0.5f, diffuse = 0.5f;
};

class Canvas {
 public:
  Canvas(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }
  Color& at(int x, int y) { return pixels_[static_cast<size_t>(y) * width_ + x]; }
  const Color& at(int x, int y) const { return pixels_[static_cast<size_t>(y) * width_ + x]; }

  void copy_from(const Canvas& other) { pixels_ = other.pixels_; }
  /// Draws back to front; strokes of equal depth in the given order.
  void draw(std::vector<Stroke>& strokes, const Lighting& lighting);
  /// Darkens an ellipse, `strength` at its center, fading out to its rim.
  void shade_ellipse(Vec2 center, float radius_x, float radius_y, float strength);

 private:
  void draw_one(const Stroke& stroke, const Lighting& lighting);

  int width_, height_;
  std::vector<Color> pixels_;
};

/// BT.601, limited range, 4:2:0: luma width x height, then two chroma planes of half of each. Both sizes must
/// be even.
void to_yuv420(const Canvas& canvas, uint8_t* y, int y_stride, uint8_t* u, int u_stride, uint8_t* v,
               int v_stride);

}  // namespace laban::synth
