// Small vectors, colors and a camera for the synthetic dances.
#pragma once

#include <algorithm>
#include <cmath>

namespace laban::synth {

struct Vec2 {
  float x = 0, y = 0;
  friend Vec2 operator+(Vec2 a, Vec2 b) { return {a.x + b.x, a.y + b.y}; }
  friend Vec2 operator-(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }
  friend Vec2 operator*(Vec2 a, float s) { return {a.x * s, a.y * s}; }
};
inline float dot(Vec2 a, Vec2 b) { return a.x * b.x + a.y * b.y; }

struct Vec3 {
  float x = 0, y = 0, z = 0;
  friend Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vec3 operator-(Vec3 a) { return {-a.x, -a.y, -a.z}; }
  friend Vec3 operator*(Vec3 a, float s) { return {a.x * s, a.y * s, a.z * s}; }
};
inline float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec3 cross(Vec3 a, Vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline float length(Vec3 a) { return std::sqrt(dot(a, a)); }
inline Vec3 normalized(Vec3 a) { return a * (1.0f / std::max(length(a), 1e-6f)); }
inline Vec3 mix(Vec3 a, Vec3 b, float t) { return a + (b - a) * t; }

struct Color {
  float r = 0, g = 0, b = 0;  // 0..1, display-referred
  friend Color operator+(Color a, Color b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }
  friend Color operator*(Color a, float s) { return {a.r * s, a.g * s, a.b * s}; }
};
inline Color mix(Color a, Color b, float t) { return a * (1 - t) + b * t; }
inline float luma(Color c) { return 0.299f * c.r + 0.587f * c.g + 0.114f * c.b; }

/// A pinhole camera. World: x to the right, y up, z away from it; meters. The floor is y = 0.
struct Camera {
  Vec3 eye, right, up, forward;  // an orthonormal frame
  float focal = 100;             // pixels
  Vec2 center;                   // the principal point, pixels

  struct Seen {
    Vec2 pixel;
    float depth;             // meters along `forward`
    float pixels_per_metre;  // at that depth
  };
  Seen see(Vec3 world) const {
    const Vec3 v = world - eye;
    const float depth = std::max(dot(v, forward), 0.1f);
    const float scale = focal / depth;
    return {{center.x + dot(v, right) * scale, center.y - dot(v, up) * scale}, depth, scale};
  }
  /// A world direction in view space: x right, y up, z towards the camera.
  Vec3 view(Vec3 direction) const {
    return {dot(direction, right), dot(direction, up), -dot(direction, forward)};
  }
  /// The direction in which the pixel looks, world space, not normalized.
  Vec3 ray(Vec2 pixel) const {
    return forward + right * ((pixel.x - center.x) / focal) + up * ((center.y - pixel.y) / focal);
  }
};

}  // namespace laban::synth
