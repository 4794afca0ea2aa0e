#include "data/synth/clip.h"

#include <cmath>
#include <numbers>

#include "data/synth/video.h"

namespace laban::synth {
namespace {

float draw_float(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }

}  // namespace

Clip draw_clip(uint64_t seed, Split split, int number, int width, int height) {
  Rng rng(seed, Purpose::synth, static_cast<uint64_t>(split), static_cast<uint64_t>(number));
  const auto dance = static_cast<Dance>(number % kDances);
  constexpr std::array<int, 3> kRates{24, 25, 30};
  const int rate = kRates[static_cast<size_t>(rng.integer(0, 2))];
  const int frames = static_cast<int>(std::lround(rng.uniform(3, 10) * rate));
  PartAngles start;
  for (double& angle : start) angle = rng.uniform(0, 2 * std::numbers::pi);
  // Everything that depends on the dance: its tempo (within 5 %). The music has already been playing for up
  // to a day.
  const double tempo = choreography(dance).beats_per_minute * rng.uniform(0.95, 1.05);
  const double first_beat = rng.uniform(0, 96);
  const double sense_turn = rng.coin(0.5) ? 1 : -1, sense_travel = rng.coin(0.5) ? 1 : -1;
  const bool couple = rng.coin(0.5);
  const float apart = draw_float(rng, 0.4, 0.7);
  const std::array<Body, 2> bodies{draw_body(rng), draw_body(rng)};
  const Manner manner = draw_manner(rng);
  const Vec3 center{draw_float(rng, -0.15, 0.15), 0, draw_float(rng, -0.2, 0.2)};
  const float path_x = draw_float(rng, 0.4, 0.6), path_z = draw_float(rng, 0.2, 0.5);
  return {dance,  rate,  frames, tempo,  first_beat, start,  sense_turn, sense_travel,
          couple, apart, bodies, manner, center,     path_x, path_z,     draw_stage(rng, width, height)};
}

PartAngles Clip::angles(int frame) const {
  const Choreography& law = choreography(dance);
  const double beat = first_beat + seconds(frame) * beats_per_minute / 60;
  PartAngles angles = start;
  for (size_t part = 0; part < kParts; ++part) {
    double sense = 1;
    if (part == static_cast<size_t>(Part::turn)) sense = sense_turn;
    if (part == static_cast<size_t>(Part::travel)) sense = sense_travel;
    angles[part] += sense * advance(law.parts[part], beat);
  }
  return angles;
}

void Clip::draw(int frame, Canvas& canvas) const {
  const PartAngles now = angles(frame);
  const auto travel = static_cast<float>(now[static_cast<size_t>(Part::travel)]);
  const auto turn = static_cast<float>(now[static_cast<size_t>(Part::turn)]);
  const Vec3 place = path_center + Vec3{path_x * std::cos(travel), 0, path_z * std::sin(travel)};

  std::vector<Skeleton> dancers;
  if (couple) {
    const auto [leader, follower] = pose_couple(bodies[0], bodies[1], manner, now, place, apart);
    dancers = {leader, follower};
  } else {
    dancers = {pose_solo(bodies[0], manner, now, place)};
  }

  canvas.copy_from(stage.backdrop);
  std::vector<Stroke> strokes;
  for (size_t i = 0; i < dancers.size(); ++i) {
    const Camera::Seen ground = stage.camera.see({dancers[i].pelvis.x, 0, dancers[i].pelvis.z});
    canvas.shade_ellipse(ground.pixel, 0.36f * ground.pixels_per_metre, 0.12f * ground.pixels_per_metre,
                         0.5f);
    const float heading = turn + (i == 1 ? std::numbers::pi_v<float> : 0.0f);
    add_strokes(bodies[i], dancers[i], heading, stage.camera, strokes);
  }
  canvas.draw(strokes, stage.lighting);
}

std::string encode_clip(const Clip& clip, const std::atomic<bool>& stop) {
  Canvas canvas(clip.stage.backdrop.width(), clip.stage.backdrop.height());
  VideoEncoder encoder(canvas.width(), canvas.height(), clip.frames_per_second);
  for (int frame = 0; frame < clip.frames; ++frame) {
    if (stop.load(std::memory_order_relaxed)) return {};
    clip.draw(frame, canvas);
    encoder.add(canvas);
  }
  return encoder.finish();
}

}  // namespace laban::synth
