#include "data/synth/stage.h"

#include <numbers>

namespace laban::synth {
namespace {

constexpr int kSamples = 3;  // per pixel and axis, for smooth edges

float draw(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }

Color draw_paint(Rng& rng, double dark, double light) {
  const float level = draw(rng, dark, light), warm = draw(rng, -0.12, 0.12), green = draw(rng, -0.06, 0.06);
  return {level * (1 + warm), level * (1 + green), level * (1 - warm)};
}

float fraction(float v) { return v - std::floor(v); }

/// A band of relative width `share` at the start of every period.
bool in_band(float v, float period, float share) { return fraction(v / period) < share; }

/// Wall and floor patterns with their colors.
struct Room {
  enum class Wall { plain, panels, windows, curtain, hills } wall;
  enum class Floor { plain, planks, tiles, rings } floor;
  Color wall_low, wall_high, wall_mark, floor_a, floor_b;
  float wall_distance;   // meters behind the middle of the floor
  float pattern, shift;  // period and offset of the patterns, meters
  float spot;            // how much lighter the middle of the floor is

  Color wall_at(float x, float y) const {
    const float rise = std::clamp(y / 3.5f, 0.0f, 1.0f);
    const Color base = mix(wall_low, wall_high, rise);
    const float along = x + shift;
    switch (wall) {
      case Wall::plain:
        return y < 0.12f ? wall_mark : base;
      case Wall::panels:
        return y < 0.9f && !in_band(along, pattern, 0.08f) && y > 0.08f && y < 0.84f ? wall_mark : base;
      case Wall::windows:
        return in_band(along, 1.6f * pattern, 0.4f) && y > 0.9f && y < 2.8f ? wall_mark : base;
      case Wall::curtain:
        return base * (0.86f + 0.14f * std::cos(2 * std::numbers::pi_v<float> * along / (0.45f * pattern)));
      case Wall::hills: {
        const float crest =
            1.1f + 0.35f * std::sin(0.7f * along / pattern) + 0.2f * std::sin(1.9f * along / pattern);
        return y < crest ? wall_mark : base;
      }
    }
    return base;
  }
  Color floor_at(float x, float z) const {
    const float away = std::sqrt(x * x + z * z);
    const auto odd = [](float v) { return static_cast<int>(std::floor(v)) & 1; };
    bool mark = false;
    switch (floor) {
      case Floor::plain:
        break;
      case Floor::planks:
        mark = in_band(x + shift, 0.3f * pattern, 0.1f);
        break;
      case Floor::tiles:
        mark = odd((x + shift) / (0.6f * pattern)) != odd(z / (0.6f * pattern));
        break;
      case Floor::rings:
        mark = in_band(away, 1.1f * pattern, 0.12f);
        break;
    }
    return (mark ? floor_b : floor_a) * (1 + spot * std::exp(-0.35f * away * away));
  }
};

Room draw_room(Rng& rng) {
  Room r;
  r.wall = static_cast<Room::Wall>(rng.integer(0, 4));
  r.floor = static_cast<Room::Floor>(rng.integer(0, 3));
  r.wall_low = draw_paint(rng, 0.16, 0.34);
  r.wall_high = r.wall_low * draw(rng, 0.85, 1.15);
  r.wall_mark = r.wall_low * draw(rng, 0.75, 1.4);
  r.floor_a = draw_paint(rng, 0.18, 0.36);
  r.floor_b = r.floor_a * draw(rng, 0.82, 1.25);
  r.wall_distance = draw(rng, 1.6, 3.5);
  r.pattern = draw(rng, 0.8, 1.6);
  r.shift = draw(rng, 0, 10);
  r.spot = draw(rng, 0, 0.5);
  return r;
}

}  // namespace

Stage draw_stage(Rng& rng, int width, int height) {
  Stage stage{{}, {}, Canvas(width, height)};
  Camera& camera = stage.camera;
  camera.eye = {draw(rng, -0.8, 0.8), draw(rng, 1.3, 2.3), draw(rng, -6.5, -4.8)};
  const Vec3 target{draw(rng, -0.12, 0.12), draw(rng, 0.85, 1.0), 0};
  const float tilt = draw(rng, -0.03, 0.03);
  camera.forward = normalized(target - camera.eye);
  const Vec3 level = normalized(cross(Vec3{0, 1, 0}, camera.forward));
  const Vec3 upright = cross(camera.forward, level);
  camera.right = level * std::cos(tilt) + upright * std::sin(tilt);
  camera.up = cross(camera.forward, camera.right);
  const float meters_high = draw(rng, 2.0, 2.3);  // shown at the target
  camera.focal = static_cast<float>(height) * length(target - camera.eye) / meters_high;
  camera.center = {static_cast<float>(width) / 2, static_cast<float>(height) / 2};

  const float bearing = draw(rng, -1, 1);
  stage.lighting.direction = normalized({bearing, draw(rng, 0.4, 1.0), draw(rng, 0.5, 1.0)});
  stage.lighting.ambient = draw(rng, 0.45, 0.6);
  stage.lighting.diffuse = draw(rng, 1.05, 1.15) - stage.lighting.ambient;

  const Room room = draw_room(rng);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      Color sum;
      for (int sample = 0; sample < kSamples * kSamples; ++sample) {
        const auto inside = [](int i) { return (static_cast<float>(i) + 0.5f) / kSamples; };
        const Vec3 ray = camera.ray({static_cast<float>(x) + inside(sample % kSamples),
                                     static_cast<float>(y) + inside(sample / kSamples)});
        const float to_wall = (room.wall_distance - camera.eye.z) / ray.z;
        const Vec3 hit = camera.eye + ray * to_wall;
        if (hit.y >= 0) {
          sum = sum + room.wall_at(hit.x, hit.y);
        } else {
          const Vec3 ground = camera.eye + ray * (-camera.eye.y / ray.y);
          sum = sum + room.floor_at(ground.x, ground.z);
        }
      }
      stage.backdrop.at(x, y) = sum * (1.0f / (kSamples * kSamples));
    }
  }
  return stage;
}

}  // namespace laban::synth
