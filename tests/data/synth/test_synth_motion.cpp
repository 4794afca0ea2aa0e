// The guarantee of the synthetic dances: the class is in the motion, and in nothing that a single frame
// shows.
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "data/synth/clip.h"

using namespace laban;
using namespace laban::synth;

namespace {

constexpr double kTurn = 2 * std::numbers::pi;
constexpr int kPlain = 32;  // pixels: the smallest stage, where only numbers are looked at

std::span<const Note> notes_of(Dance dance, Part part) {
  return choreography(dance).parts[static_cast<size_t>(part)];
}
double beats_of(std::span<const Note> notes) {
  double beats = 0;
  for (const Note& note : notes) beats += note.beats;
  return beats;
}

/// n * R^2, where R is the length of the mean of n unit vectors: about Exponential(1) for uniform angles, so
/// that it exceeds 14 once in 1.2 million draws.
double rayleigh(const std::vector<double>& angles) {
  std::complex<double> sum = 0;
  for (const double angle : angles) sum += std::polar(1.0, angle);
  return std::norm(sum) / static_cast<double>(angles.size());
}

/// The largest Rayleigh statistic over the first two harmonics of each part and of the sums and differences
/// of each pair of parts: large where some angle, or some relation between two, is commoner than others.
double worst_rayleigh(const std::vector<PartAngles>& poses) {
  double worst = 0;
  const auto look = [&](auto angle) {
    for (const int harmonic : {1, 2}) {
      std::vector<double> angles;
      for (const PartAngles& pose : poses) angles.push_back(harmonic * angle(pose));
      worst = std::max(worst, rayleigh(angles));
    }
  };
  for (size_t i = 0; i < kParts; ++i) {
    look([&](const PartAngles& p) { return p[i]; });
    for (size_t j = i + 1; j < kParts; ++j) {
      look([&](const PartAngles& p) { return p[i] + p[j]; });
      look([&](const PartAngles& p) { return p[i] - p[j]; });
    }
  }
  return worst;
}

std::vector<Clip> draw_clips(int count) {
  std::vector<Clip> clips;
  for (int i = 0; i < count; ++i) clips.push_back(draw_clip(11, Split::train, i, kPlain, kPlain));
  return clips;
}

}  // namespace

TEST_CASE("synth: scores read as they are written") {
  // Waltz: one rise to the bar of three, a sway in two bars.
  CHECK(advance(notes_of(Dance::waltz, Part::rise), 3) == doctest::Approx(kTurn));
  CHECK(advance(notes_of(Dance::waltz, Part::sway), 3) == doctest::Approx(kTurn / 2));
  // Foxtrot: slow (two beats), quick, quick: half a cycle each; in the middle of the soft slow step, half of
  // it.
  CHECK(advance(notes_of(Dance::foxtrot, Part::steps), 1) == doctest::Approx(kTurn / 4));
  CHECK(advance(notes_of(Dance::foxtrot, Part::steps), 2) == doctest::Approx(kTurn / 2));
  CHECK(advance(notes_of(Dance::foxtrot, Part::steps), 3) == doctest::Approx(kTurn));
  CHECK(advance(notes_of(Dance::foxtrot, Part::steps), 4) == doctest::Approx(1.5 * kTurn));
  CHECK(advance(notes_of(Dance::foxtrot, Part::steps), 40) == doctest::Approx(15 * kTurn));
  // Break: a sharp half turn in two beats is over in the first third, then a freeze.
  CHECK(advance(notes_of(Dance::break_dance, Part::turn), 2.0 / 3) == doctest::Approx(kTurn / 2));
  CHECK(advance(notes_of(Dance::break_dance, Part::turn), 1.9) == doctest::Approx(kTurn / 2));
  // Swing: out and back.
  CHECK(advance(notes_of(Dance::swing, Part::turn), 2) == doctest::Approx(kTurn / 2));
  CHECK(advance(notes_of(Dance::swing, Part::turn), 4) == doctest::Approx(0));
  CHECK_THROWS_AS(advance(std::span<const Note>{}, 1), std::logic_error);
}

TEST_CASE("synth: movements are continuous and repeat") {
  for (int dance = 0; dance < kDances; ++dance) {
    for (int part = 0; part < kParts; ++part) {
      const auto notes = notes_of(static_cast<Dance>(dance), static_cast<Part>(part));
      const double length = beats_of(notes), round = advance(notes, length);
      for (double beat = 0; beat < 2 * length; beat += length / 97) {
        CHECK(advance(notes, beat + length) == doctest::Approx(advance(notes, beat) + round).epsilon(1e-9));
        // The quickest note of all is a whole turn, sharp, within a beat: 3 * pi/2 turns a beat at its
        // fastest.
        CHECK(std::abs(advance(notes, beat + 1e-4) - advance(notes, beat)) < 1e-4 * kTurn * 5);
      }
    }
  }
}

TEST_CASE("synth: within two seconds any two dances move differently") {
  // For every part: how far it goes in two seconds, and how much of the time it moves, from 40 starting
  // beats. Two dances may look alike in most parts, but not in all of them at any time.
  struct Profile {
    double path = 0;  // turns of movement, there and back counted
    double away = 0;  // turns between the first and the last
  };
  const auto profile = [](Dance dance, Part part, double first_beat) {
    const auto notes = notes_of(dance, part);
    const double beats = 2 * choreography(dance).beats_per_minute / 60;
    constexpr int kSteps = 64;
    Profile p;
    for (int i = 0; i < kSteps; ++i)
      p.path += std::abs(advance(notes, first_beat + beats * (i + 1) / kSteps) -
                         advance(notes, first_beat + beats * i / kSteps)) /
                kTurn;
    p.away = std::abs(advance(notes, first_beat + beats) - advance(notes, first_beat)) / kTurn;
    return p;
  };
  for (int a = 0; a < kDances; ++a) {
    for (int b = a + 1; b < kDances; ++b) {
      double closest = 1e9;
      for (int start_a = 0; start_a < 40; ++start_a) {
        for (int start_b = 0; start_b < 40; ++start_b) {
          double difference = 0;
          for (int part = 0; part < kParts; ++part) {
            const Profile p = profile(static_cast<Dance>(a), static_cast<Part>(part), start_a * 0.3);
            const Profile q = profile(static_cast<Dance>(b), static_cast<Part>(part), start_b * 0.3);
            difference += std::abs(p.path - q.path) + std::abs(p.away - q.away);
          }
          closest = std::min(closest, difference);
        }
      }
      CAPTURE(kDanceNames[static_cast<size_t>(a)]);
      CAPTURE(kDanceNames[static_cast<size_t>(b)]);
      CHECK(closest > 0.6);
    }
  }
}

TEST_CASE("synth: the poses of one frame have the same distribution in every dance") {
  constexpr int kClips = 4000;
  const std::vector<Clip> clips = draw_clips(kClips);
  std::vector<std::vector<PartAngles>> poses(kDances);
  for (const Clip& clip : clips)
    poses[static_cast<size_t>(clip.dance)].push_back(clip.angles(clip.frames / 2));
  for (int dance = 0; dance < kDances; ++dance) {
    CAPTURE(kDanceNames[static_cast<size_t>(dance)]);
    REQUIRE(poses[static_cast<size_t>(dance)].size() == kClips / kDances);
    CHECK(worst_rayleigh(poses[static_cast<size_t>(dance)]) < 14);
  }
  // The same look finds dances that start in step: here arms and steps of a pair are tied together, or one
  // part prefers a place.
  std::vector<PartAngles> tied = poses[0], lopsided = poses[0];
  for (PartAngles& pose : tied) pose[5] = pose[0] + 0.5;
  for (PartAngles& pose : lopsided) pose[1] += 0.5 * std::sin(pose[1]);
  CHECK(worst_rayleigh(tied) > 100);
  CHECK(worst_rayleigh(lopsided) > 14);
}

TEST_CASE("synth: bodies, clothes, rooms, cameras and lengths know nothing of the dance") {
  constexpr int kClips = 4000;
  const std::vector<Clip> clips = draw_clips(kClips);
  const auto brightness = [](const Clip& clip) {
    double sum = 0;
    for (int y = 0; y < kPlain; ++y)
      for (int x = 0; x < kPlain; ++x) sum += luma(clip.stage.backdrop.at(x, y));
    return sum;
  };
  const std::vector<std::pair<const char*, std::function<double(const Clip&)>>> traits{
      {"frame rate", [](const Clip& c) { return c.frames_per_second; }},
      {"seconds", [](const Clip& c) { return c.seconds(c.frames); }},
      {"couple", [](const Clip& c) { return c.couple; }},
      {"height", [](const Clip& c) { return c.bodies[0].height; }},
      {"skirt", [](const Clip& c) { return c.bodies[0].skirt; }},
      {"color of the top", [](const Clip& c) { return luma(c.bodies[0].top); }},
      {"stride", [](const Clip& c) { return c.manner.stride; }},
      {"plie", [](const Clip& c) { return c.manner.plie; }},
      {"path", [](const Clip& c) { return c.path_x; }},
      {"camera height", [](const Clip& c) { return c.stage.camera.eye.y; }},
      {"zoom", [](const Clip& c) { return c.stage.camera.focal; }},
      {"light", [](const Clip& c) { return c.stage.lighting.ambient; }},
      {"brightness of the room", brightness},
      {"sense of turning", [](const Clip& c) { return c.sense_turn; }},
      {"score position", [](const Clip& c) { return c.first_beat; }},
  };
  // One-way analysis of variance: sum over dances of n * (mean - grand mean)^2 / variance is about chi-square
  // with 9 degrees of freedom; above 40 once in 130000.
  const auto between = [&](const std::function<double(const Clip&)>& trait) {
    std::vector<double> sum(kDances, 0);
    double all = 0, squares = 0;
    for (const Clip& clip : clips) {
      const double value = trait(clip);
      sum[static_cast<size_t>(clip.dance)] += value;
      all += value, squares += value * value;
    }
    const double mean = all / kClips, variance = squares / kClips - mean * mean, each = kClips / kDances;
    double statistic = 0;
    for (const double s : sum) statistic += each * (s / each - mean) * (s / each - mean) / variance;
    return statistic;
  };
  for (const auto& [name, trait] : traits) {
    CAPTURE(name);
    CHECK(between(trait) < 40);
  }
  CHECK(between([](const Clip& c) { return c.beats_per_minute; }) > 40);  // the tempo does know
}

TEST_CASE("synth: dancers stay in the picture's central square") {
  constexpr int kWidth = 64, kHeight = 48;
  int frames = 0, cut = 0;
  for (int number = 0; number < 60; ++number) {
    const Clip clip = draw_clip(3, Split::test, number, kWidth, kHeight);
    Canvas with(kWidth, kHeight);
    for (int frame = 0; frame < clip.frames; frame += 20) {
      clip.draw(frame, with);
      int inside = 0, outside = 0;
      for (int y = 0; y < kHeight; ++y) {
        for (int x = 0; x < kWidth; ++x) {
          if (std::abs(luma(with.at(x, y)) - luma(clip.stage.backdrop.at(x, y))) < 0.02f) continue;
          const bool central = std::abs(x + 0.5 - kWidth / 2) < kHeight / 2;
          ++(central ? inside : outside);
        }
      }
      CHECK(inside > 40);  // somebody is there
      ++frames;
      cut += outside > inside / 20;
    }
  }
  CAPTURE(frames);
  CAPTURE(cut);
  CHECK(cut * 20 < frames);
}
