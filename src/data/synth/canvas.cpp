#include "data/synth/canvas.h"

#include "core/error.h"

namespace laban::synth {
namespace {

/// The point on a stroke's surface that is visible in a pixel.
struct Surface {
  float distance;  // pixels outside (positive) or inside (negative) the outline
  Vec3 normal;     // view space
  float fold = 0;  // -1..1: cloth turned from or to the light
};

/// Round limb: the pixel's nearest point on the axis, with the radius there, seen as a sphere.
Surface limb_at(const Stroke& s, Vec2 axis, float inverse_length2, Vec2 p) {
  const Vec2 from_a = p - s.a;
  const float t = std::clamp(dot(from_a, axis) * inverse_length2, 0.0f, 1.0f);
  const float radius = s.radius_a + (s.radius_b - s.radius_a) * t;
  const Vec2 out = from_a - axis * t;
  const float away = std::sqrt(dot(out, out));
  const float nx = out.x / radius, ny = -out.y / radius;
  return {away - radius, {nx, ny, std::sqrt(std::max(0.0f, 1 - nx * nx - ny * ny))}};
}

/// Cloth: a cone from a to b whose hem bulges towards the viewer, its folds running down it.
Surface cloth_at(const Stroke& s, Vec2 axis, float inverse_length2, Vec2 p) {
  const Vec2 from_a = p - s.a;
  const float length = 1 / std::sqrt(inverse_length2);
  const Vec2 across{-axis.y / length, axis.x / length};
  const float t = dot(from_a, axis) * inverse_length2;
  const float radius = std::max(s.radius_a + (s.radius_b - s.radius_a) * std::clamp(t, 0.0f, 1.1f), 0.5f);
  const float q = dot(from_a, across) / radius;
  const float depth = std::sqrt(std::max(0.0f, 1 - q * q));
  const float hem = 1 + 0.22f * s.radius_b / length * depth;
  const float outside = std::max({(std::abs(q) - 1) * radius, -t * length, (t - hem) * length});
  const float fold = std::cos(9 * std::asin(std::clamp(q, -1.0f, 1.0f)) + s.fold_phase);
  return {outside, {across.x * q, -across.y * q, depth}, fold * std::clamp(t, 0.0f, 1.0f)};
}

uint8_t to_byte(float v) { return static_cast<uint8_t>(std::clamp(v + 0.5f, 0.0f, 255.0f)); }

}  // namespace

Canvas::Canvas(int width, int height)
    : width_(width), height_(height), pixels_(static_cast<size_t>(width) * static_cast<size_t>(height)) {}

void Canvas::draw(std::vector<Stroke>& strokes, const Lighting& lighting) {
  std::stable_sort(strokes.begin(), strokes.end(),
                   [](const Stroke& a, const Stroke& b) { return a.depth > b.depth; });
  for (const Stroke& stroke : strokes) draw_one(stroke, lighting);
}

void Canvas::draw_one(const Stroke& s, const Lighting& lighting) {
  const float reach = std::max(s.radius_a, s.radius_b) * (s.form == Stroke::Form::cloth ? 1.3f : 1.0f) + 1;
  const int x0 = std::max(0, static_cast<int>(std::floor(std::min(s.a.x, s.b.x) - reach)));
  const int x1 = std::min(width_ - 1, static_cast<int>(std::ceil(std::max(s.a.x, s.b.x) + reach)));
  const int y0 = std::max(0, static_cast<int>(std::floor(std::min(s.a.y, s.b.y) - reach)));
  const int y1 = std::min(height_ - 1, static_cast<int>(std::ceil(std::max(s.a.y, s.b.y) + reach)));
  const Vec2 axis = s.b - s.a;
  const float inverse_length2 = 1 / std::max(dot(axis, axis), 1e-3f);
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const Vec2 p{static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f};
      const Surface surface = s.form == Stroke::Form::limb ? limb_at(s, axis, inverse_length2, p)
                                                           : cloth_at(s, axis, inverse_length2, p);
      const float coverage = std::clamp(0.5f - surface.distance, 0.0f, 1.0f);
      if (coverage == 0) continue;
      const float turned = dot(surface.normal, s.facing) - s.front_from;
      const Color base = mix(s.back, s.front, std::clamp(0.5f + 6 * turned, 0.0f, 1.0f));
      const float light =
          lighting.ambient + lighting.diffuse * std::max(0.0f, dot(surface.normal, lighting.direction));
      Color& pixel = at(x, y);
      pixel = mix(pixel, base * (light * (1 + 0.12f * surface.fold)), coverage);
    }
  }
}

void Canvas::shade_ellipse(Vec2 center, float radius_x, float radius_y, float strength) {
  const int x0 = std::max(0, static_cast<int>(center.x - radius_x));
  const int x1 = std::min(width_ - 1, static_cast<int>(center.x + radius_x));
  const int y0 = std::max(0, static_cast<int>(center.y - radius_y));
  const int y1 = std::min(height_ - 1, static_cast<int>(center.y + radius_y));
  for (int y = y0; y <= y1; ++y) {
    for (int x = x0; x <= x1; ++x) {
      const float dx = (static_cast<float>(x) + 0.5f - center.x) / radius_x;
      const float dy = (static_cast<float>(y) + 0.5f - center.y) / radius_y;
      const float inside = std::max(0.0f, 1 - dx * dx - dy * dy);
      at(x, y) = at(x, y) * (1 - strength * inside);
    }
  }
}

void to_yuv420(const Canvas& canvas, uint8_t* y, int y_stride, uint8_t* u, int u_stride, uint8_t* v,
               int v_stride) {
  require(canvas.width() % 2 == 0 && canvas.height() % 2 == 0, "synth::to_yuv420: sizes must be even");
  for (int row = 0; row < canvas.height(); row += 2) {
    for (int column = 0; column < canvas.width(); column += 2) {
      Color sum;
      for (int dy = 0; dy < 2; ++dy) {
        for (int dx = 0; dx < 2; ++dx) {
          const Color c = canvas.at(column + dx, row + dy);
          const Color shown{std::clamp(c.r, 0.0f, 1.0f), std::clamp(c.g, 0.0f, 1.0f),
                            std::clamp(c.b, 0.0f, 1.0f)};
          y[(row + dy) * y_stride + column + dx] = to_byte(16 + 219 * luma(shown));
          sum = sum + shown;
        }
      }
      const Color mean = sum * 0.25f;
      const float level = luma(mean);
      u[row / 2 * u_stride + column / 2] = to_byte(128 + 224 * (mean.b - level) / 1.772f);
      v[row / 2 * v_stride + column / 2] = to_byte(128 + 224 * (mean.r - level) / 1.402f);
    }
  }
}

}  // namespace laban::synth
