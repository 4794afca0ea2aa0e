#include "data/synth/performer.h"

#include <numbers>

namespace laban::synth {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr Vec3 kUp{0, 1, 0};

float draw(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }

/// Hue in turns; saturation and value in 0..1.
Color from_hsv(float hue, float saturation, float value) {
  const auto channel = [&](float shift) {
    const float k = std::fmod(shift + hue * 6, 6.0f);
    return value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0f, 1.0f));
  };
  return {channel(5), channel(3), channel(1)};
}

/// Bright, of any hue: the dancers are lit, the room is dim.
Color draw_cloth(Rng& rng) {
  const float hue = draw(rng, 0, 1), saturation = draw(rng, 0.05, 0.65), value = draw(rng, 0.7, 1.0);
  return from_hsv(hue, saturation, value);
}

/// The joint between two bones of the given lengths that start at `root`, bending towards `hint`. Moves `end`
/// to the farthest point that they can reach where it is too far.
Vec3 bend(Vec3 root, Vec3& end, float first, float second, Vec3 hint) {
  const float reach = 0.999f * (first + second);
  Vec3 way = end - root;
  const float wanted = length(way);
  way = normalized(way);
  const float distance = std::clamp(wanted, 0.2f * reach, reach);
  end = root + way * distance;
  const float along = (distance * distance + first * first - second * second) / (2 * distance);
  const Vec3 side = normalized(hint - way * dot(hint, way));
  return root + way * along + side * std::sqrt(std::max(0.0f, first * first - along * along));
}

/// Everything but the arms. `mirrored`: steps with the other foot, backwards: the follower of a couple.
Skeleton pose_trunk(const Body& body, const Manner& manner, const PartAngles& angles, Vec3 place,
                    float heading, bool mirrored) {
  const auto angle = [&](Part part) { return static_cast<float>(angles[static_cast<size_t>(part)]); };
  const float leg = body.leg_fraction * body.height, h = body.height;
  Skeleton s;
  s.facing = {std::sin(heading), 0, -std::cos(heading)};
  s.left = {std::cos(heading), 0, std::sin(heading)};

  const float down = 0.5f - 0.5f * std::cos(angle(Part::rise));
  const float hips = (mirrored ? -1.0f : 1.0f) * std::sin(angle(Part::sway));
  s.pelvis = place + kUp * (leg * (0.985f - manner.plie * down)) + s.left * (manner.hips * h * hips);
  const Vec3 spine = normalized(kUp + s.left * (-manner.lean * hips) + s.facing * manner.stoop);
  const float trunk = (1 - body.leg_fraction) * h - 0.17f * h;  // pelvis to neck; the rest is neck and head
  s.waist = s.pelvis + spine * (0.35f * trunk);
  s.neck = s.pelvis + spine * trunk;
  s.head = s.neck + kUp * (0.095f * h) + s.facing * (0.01f * h);

  for (int side = 0; side < 2; ++side) {
    const float outward = side == 0 ? 1.0f : -1.0f;
    const float cycle = angle(Part::steps) + ((side == 1) != mirrored ? kPi : 0.0f);
    const float swing = (mirrored ? -1.0f : 1.0f) * manner.stride * h * std::sin(cycle);
    const float lift = manner.lift * h * std::max(0.0f, std::cos(cycle));
    s.hip[side] = s.pelvis + s.left * (outward * 0.052f * h);
    s.ankle[side] = place + s.left * (outward * 0.06f * h) + s.facing * swing + kUp * (0.045f * h + lift);
    s.knee[side] =
        bend(s.hip[side], s.ankle[side], 0.5f * leg, 0.5f * leg, s.facing + s.left * (0.25f * outward));
    s.toe[side] = s.ankle[side] + s.facing * (0.075f * h) - kUp * (0.03f * h);
    s.shoulder[side] =
        s.neck - spine * (0.035f * h) + s.left * (outward * 0.105f * h * std::sqrt(body.build));
  }
  return s;
}

void bend_arm(const Body& body, Skeleton& s, int side, Vec3 hand) {
  const float outward = side == 0 ? 1.0f : -1.0f;
  s.hand[side] = hand;
  s.elbow[side] = bend(s.shoulder[side], s.hand[side], 0.17f * body.height, 0.185f * body.height,
                       s.left * (0.6f * outward) - kUp - s.facing * 0.3f);
}

float arm_elevation(const Manner& manner, float cycle) {
  return manner.arm_low + (manner.arm_high - manner.arm_low) * (0.5f + 0.5f * std::sin(cycle));
}

}  // namespace

Body draw_body(Rng& rng) {
  Body b;
  b.height = draw(rng, 1.55, 1.9);
  b.build = draw(rng, 0.85, 1.25);
  b.leg_fraction = draw(rng, 0.49, 0.53);
  b.skirt = rng.coin(0.5);
  b.skirt_length = draw(rng, 0.45, 0.85);
  b.skirt_flare = draw(rng, 0.2, 0.36);
  b.bun = rng.coin(0.5) ? draw(rng, 0.4, 0.6) : 0;
  b.long_sleeves = rng.coin(0.5);
  b.long_trousers = rng.coin(0.7);
  const float tone = draw(rng, 0, 1);
  b.skin = mix(Color{0.98f, 0.82f, 0.70f}, Color{0.55f, 0.37f, 0.26f}, tone);
  b.hair = mix(Color{0.16f, 0.11f, 0.08f}, Color{0.85f, 0.68f, 0.38f}, draw(rng, 0, 1) * (1 - tone));
  b.top = draw_cloth(rng);
  b.top_back = mix(b.top, draw_cloth(rng), rng.coin(0.6) ? 0.8f : 0.2f);
  b.bottom = rng.coin(0.3) ? b.top : draw_cloth(rng);
  b.shoes = rng.coin(0.5) ? Color{0.12f, 0.11f, 0.12f} : draw_cloth(rng);
  return b;
}

Manner draw_manner(Rng& rng) {
  Manner m;
  m.stride = draw(rng, 0.13, 0.18);
  m.lift = draw(rng, 0.11, 0.17);
  m.plie = draw(rng, 0.22, 0.30);
  m.hips = draw(rng, 0.06, 0.08);
  m.lean = draw(rng, 0.18, 0.28);
  m.arm_low = draw(rng, -1.3, -0.9);
  m.arm_high = draw(rng, 0.9, 1.4);
  m.arm_lag = rng.coin(0.5) ? 0 : draw(rng, 0, 2 * kPi);
  m.stoop = draw(rng, 0.0, 0.12);
  return m;
}

Skeleton pose_solo(const Body& body, const Manner& manner, const PartAngles& angles, Vec3 place) {
  const auto arms = static_cast<float>(angles[static_cast<size_t>(Part::arms)]);
  const auto heading = static_cast<float>(angles[static_cast<size_t>(Part::turn)]);
  Skeleton s = pose_trunk(body, manner, angles, place, heading, false);
  for (int side = 0; side < 2; ++side) {
    const float outward = side == 0 ? 1.0f : -1.0f;
    const float up = arm_elevation(manner, arms - (side == 1 ? manner.arm_lag : 0.0f));
    const Vec3 way = normalized(s.left * (outward * std::cos(up)) + kUp * std::sin(up) + s.facing * 0.3f);
    bend_arm(body, s, side, s.shoulder[side] + way * (0.33f * body.height));
  }
  return s;
}

std::pair<Skeleton, Skeleton> pose_couple(const Body& leader, const Body& follower, const Manner& manner,
                                          const PartAngles& angles, Vec3 place, float apart) {
  const auto arms = static_cast<float>(angles[static_cast<size_t>(Part::arms)]);
  const auto heading = static_cast<float>(angles[static_cast<size_t>(Part::turn)]);
  const Vec3 facing{std::sin(heading), 0, -std::cos(heading)};
  Skeleton lead = pose_trunk(leader, manner, angles, place - facing * (apart / 2), heading, false);
  Skeleton follow = pose_trunk(follower, manner, angles, place + facing * (apart / 2), heading + kPi, true);
  const float reach = 0.30f * std::min(leader.height, follower.height);
  const float up = arm_elevation(manner, arms);
  const Vec3 shoulders = mix(lead.shoulder[0], follow.shoulder[1], 0.5f);
  const Vec3 joined = shoulders + lead.left * (reach * std::cos(up)) + kUp * (reach * std::sin(up));
  bend_arm(leader, lead, 0, joined);
  bend_arm(follower, follow, 1, joined);
  bend_arm(leader, lead, 1,
           mix(follow.waist, follow.neck, 0.45f) - follow.facing * (0.08f * follower.height));
  bend_arm(follower, follow, 0, lead.shoulder[1] - lead.facing * (0.02f * leader.height));
  return {lead, follow};
}

void add_strokes(const Body& body, const Skeleton& s, float turn, const Camera& camera,
                 std::vector<Stroke>& strokes) {
  const float thick = body.height * body.build;
  const Vec3 facing = camera.view(s.facing);
  // Radii in meters; `nearer` moves a stroke towards the camera in the drawing order.
  const auto add = [&](Vec3 a, Vec3 b, float radius_a, float radius_b, Color color,
                       float nearer = 0) -> Stroke& {
    const Camera::Seen from = camera.see(a), to = camera.see(b);
    Stroke stroke;
    stroke.a = from.pixel, stroke.b = to.pixel;
    stroke.radius_a = radius_a * from.pixels_per_metre, stroke.radius_b = radius_b * to.pixels_per_metre;
    stroke.depth = (from.depth + to.depth) / 2 - nearer;
    stroke.back = stroke.front = color;
    stroke.facing = facing;
    return strokes.emplace_back(stroke);
  };
  const Color leg = !body.skirt && body.long_trousers ? body.bottom : body.skin;
  const Color thigh = body.skirt ? body.skin : body.bottom;
  for (int side = 0; side < 2; ++side) {
    add(s.hip[side], s.knee[side], 0.048f * thick, 0.036f * thick, thigh);
    add(s.knee[side], s.ankle[side], 0.035f * thick, 0.023f * thick, leg);
    add(s.ankle[side], s.toe[side], 0.025f * thick, 0.020f * thick, body.shoes);
    add(s.shoulder[side], s.elbow[side], 0.030f * thick, 0.024f * thick, body.top);
    add(s.elbow[side], s.hand[side], 0.024f * thick, 0.018f * thick,
        body.long_sleeves ? body.top : body.skin);
    add(s.hand[side], s.hand[side], 0.023f * thick, 0.023f * thick, body.skin, 0.01f);
  }
  add(s.pelvis, s.waist, 0.075f * thick, 0.068f * thick, body.bottom);
  Stroke& chest =
      add(s.waist, mix(s.waist, s.neck, 0.85f), 0.066f * thick, 0.088f * thick, body.top_back, 0.01f);
  chest.front = body.top;
  chest.front_from = 0.15f;
  if (body.skirt) {
    const Vec3 hem =
        mix(s.hip[0], s.hip[1], 0.5f) + (mix(s.ankle[0], s.ankle[1], 0.5f) - s.pelvis) * body.skirt_length;
    Stroke& skirt =
        add(s.waist, hem, 0.066f * thick, body.skirt_flare * body.height / 1.7f, body.bottom, 0.10f);
    skirt.form = Stroke::Form::cloth;
    skirt.fold_phase = 9 * turn;
  }
  add(s.neck, s.head, 0.026f * thick, 0.026f * thick, body.skin);
  const float head = 0.066f * body.height;
  Stroke& face = add(s.head, s.head + kUp * (0.02f * body.height), head, head, body.hair, 0.02f);
  face.front = body.skin;
  face.front_from = 0.1f;
  if (body.bun > 0) {
    const Vec3 nape = s.head - s.facing * head + kUp * (0.5f * head);
    add(nape, nape, body.bun * head, body.bun * head, body.hair);
  }
}

}  // namespace laban::synth
