// The synthetic dances: a clip as a pure function of (seed, split, number).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "data/dataset/split.h"
#include "data/synth/choreography.h"
#include "data/synth/performer.h"
#include "data/synth/stage.h"

namespace laban::synth {

/// A random clip; everything but `dance` is drawn from the same distributions for every dance.
struct Clip {
  Dance dance;
  int frames_per_second, frames;
  double beats_per_minute, first_beat;
  PartAngles start;                 // radians, uniform
  double sense_turn, sense_travel;  // +1 or -1: direction
  bool couple;
  float apart;                 // meters between the partners of a couple
  std::array<Body, 2> bodies;  // the second only in a couple
  Manner manner;
  Vec3 path_center;      // on the floor, meters
  float path_x, path_z;  // the half axes of the path, meters
  Stage stage;

  double seconds(int frame) const { return static_cast<double>(frame) / frames_per_second; }
  /// The six angles in a frame: start + advance.
  PartAngles angles(int frame) const;
  /// Draws a frame; `canvas` has the stage's size.
  void draw(int frame, Canvas& canvas) const;
};

/// Clip `number` of `split`; its dance is number mod 10.
Clip draw_clip(uint64_t seed, Split split, int number, int width, int height);

/// The clip as an mp4 file. Empty if `stop` became true before the end.
std::string encode_clip(const Clip& clip, const std::atomic<bool>& stop);

}  // namespace laban::synth
