// Ten dances, written as scores.
//
// A dancer's pose is a function of six angles, one for each Part of the dance: how far the feet are in their
// step, the body in its rise and fall, and so on. A dance says only how these angles ADVANCE with the music:
//
//     angle(t) = start + advance(dance, part, beat0 + tempo * t)
//
// and every clip draws all six `start` angles independently and uniformly on the circle. Whatever the advance
// is, start + advance is again uniform, and the six stay independent: the poses of a single frame have
// exactly the same distribution in every dance. Only the advance, that is, the motion, distinguishes the
// dances. docs/synthetic-dances.md has the full argument.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace laban::synth {

enum class Dance { ballet, break_dance, flamenco, foxtrot, latin, quickstep, square, swing, tango, waltz };
constexpr int kDances = 10;
/// Class names, sorted; the position is the label.
constexpr std::array<std::string_view, kDances> kDanceNames{
    "ballet", "break", "flamenco", "foxtrot", "latin", "quickstep", "square", "swing", "tango", "waltz"};

enum class Part {
  steps,   // the feet: one cycle is two steps, left and right
  rise,    // knees and heels: one cycle is down and up again
  sway,    // hips from side to side
  turn,    // the direction the body faces
  travel,  // the position on the floor, along a closed path
  arms,    // up and down
};
constexpr int kParts = 6;
using PartAngles = std::array<double, kParts>;  // radians, indexed by Part

/// How a note's movement is distributed over its beats.
enum class Touch {
  even,   // at constant speed
  soft,   // accelerating and decelerating
  sharp,  // completed in the first third; the rest is a hold
};

/// "Go on by `cycles` of a turn within `beats` beats." Negative cycles go back.
struct Note {
  double beats;
  double cycles;
  Touch touch = Touch::even;
};

/// Tempo, and for each part the notes that repeat for ever.
struct Choreography {
  double beats_per_minute;
  std::array<std::span<const Note>, kParts> parts;
};

const Choreography& choreography(Dance dance);

/// How far, in radians, `notes` have moved their part since beat 0. Continuous; `beat` is not negative.
/// Throws std::logic_error if the notes have no duration.
double advance(std::span<const Note> notes, double beat);

}  // namespace laban::synth
