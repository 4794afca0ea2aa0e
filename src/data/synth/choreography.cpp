#include "data/synth/choreography.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace laban::synth {
namespace {

using enum Touch;
template <size_t Notes>
using Score = std::array<Note, Notes>;

constexpr Score<1> kStill{{{1, 0}}};

// Each note is {beats, cycles, touch}. In the column `steps`, half a cycle is one step.

// Waltz, 3/4: a step on every beat, one rise and fall per bar, one turn per bar, drifting around the room.
constexpr Score<1> kWaltzSteps{{{1, 0.5, soft}}};
constexpr Score<1> kWaltzRise{{{3, 1}}};
constexpr Score<1> kWaltzSway{{{6, 1}}};
constexpr Score<1> kWaltzTurn{{{3, 1}}};
constexpr Score<1> kWaltzTravel{{{24, 1}}};

// Foxtrot, 4/4: slow, quick, quick; level, facing one way, walking on and on.
constexpr Score<3> kFoxtrotSteps{{{2, 0.5, soft}, {1, 0.5, soft}, {1, 0.5, soft}}};
constexpr Score<1> kFoxtrotTravel{{{14, 1}}};

// Quickstep, 4/4: running steps with a hop in each pair, drifting across the floor.
constexpr Score<1> kQuickstepSteps{{{1, 0.5}}};
constexpr Score<1> kQuickstepRise{{{2, 1}}};
constexpr Score<1> kQuickstepTravel{{{32, 1}}};

// Tango, 2/4: everything at once and then a hold: stalking steps, snapped turns, no rise.
constexpr Score<3> kTangoSteps{{{2, 0.5, sharp}, {1, 0.5, sharp}, {1, 0.5, sharp}}};
constexpr Score<2> kTangoTurn{{{2, 0.3, sharp}, {2, -0.3, sharp}}};
constexpr Score<1> kTangoTravel{{{2, 0.125, sharp}}};

// Swing, 4/4: a bounce on the beat, rock step back and forth, arms pumping, half turns out and in.
constexpr Score<2> kSwingSteps{{{1, 0.5, soft}, {1, -0.5, soft}}};
constexpr Score<1> kSwingRise{{{1, 1}}};
constexpr Score<2> kSwingTurn{{{2, 0.5, soft}, {2, -0.5, soft}}};
constexpr Score<2> kSwingArms{{{1, 0.5, soft}, {1, -0.5, soft}}};

// Latin, 4/4: hips, on the spot, with a step under every sway.
constexpr Score<1> kLatinSteps{{{1, 0.5, sharp}}};
constexpr Score<1> kLatinSway{{{2, 1}}};

// Ballet, adagio: a pirouette to the beat on still legs, and a slow port de bras.
constexpr Score<1> kBalletTurn{{{1, 1}}};
constexpr Score<1> kBalletArms{{{6, 1}}};

// Break: a burst of kick, drop, spin and arms, and a freeze.
constexpr Score<1> kBreakSteps{{{2, 1, sharp}}};
constexpr Score<1> kBreakRise{{{2, 1, sharp}}};
constexpr Score<1> kBreakTurn{{{2, 0.5, sharp}}};
constexpr Score<1> kBreakArms{{{2, 1, sharp}}};

// Flamenco, counted in three: a roll of the heels, a hold, and the arms that never stop.
constexpr Score<5> kFlamencoSteps{{{0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}, {1, 0}}};
constexpr Score<1> kFlamencoTurn{{{12, 1}}};
constexpr Score<1> kFlamencoArms{{{1.5, 1}}};

// Square, 4/4: walking steps around the square, fast and level, facing one way, arms swinging.
constexpr Score<1> kSquareSteps{{{1, 0.5}}};
constexpr Score<1> kSquareTravel{{{8, 1}}};
constexpr Score<1> kSquareArms{{{4, 1, soft}}};

// clang-format off
const std::array<Choreography, kDances> kRepertoire{{
    // tempo    steps            rise            sway         turn           travel            arms
    /* ballet    */ { 62, {kStill,          kStill,         kStill,      kBalletTurn,   kStill,           kBalletArms}},
    /* break     */ {112, {kBreakSteps,     kBreakRise,     kStill,      kBreakTurn,    kStill,           kBreakArms}},
    /* flamenco  */ { 92, {kFlamencoSteps,  kStill,         kStill,      kFlamencoTurn, kStill,           kFlamencoArms}},
    /* foxtrot   */ {116, {kFoxtrotSteps,   kStill,         kStill,      kStill,        kFoxtrotTravel,   kStill}},
    /* latin     */ {106, {kLatinSteps,     kStill,         kLatinSway,  kStill,        kStill,           kStill}},
    /* quickstep */ {202, {kQuickstepSteps, kQuickstepRise, kStill,      kStill,        kQuickstepTravel, kStill}},
    /* square    */ {126, {kSquareSteps,    kStill,         kStill,      kStill,        kSquareTravel,    kSquareArms}},
    /* swing     */ {156, {kSwingSteps,     kSwingRise,     kStill,      kSwingTurn,    kStill,           kSwingArms}},
    /* tango     */ {126, {kTangoSteps,     kStill,         kStill,      kTangoTurn,    kTangoTravel,     kStill}},
    /* waltz     */ { 87, {kWaltzSteps,     kWaltzRise,     kWaltzSway,  kWaltzTurn,    kWaltzTravel,     kStill}},
}};
// clang-format on

/// The fraction of a note's movement completed after the fraction `x` of its time; 0 -> 0, 1 -> 1,
/// increasing.
double touched(Touch touch, double x) {
  const auto smooth = [](double v) { return 0.5 - 0.5 * std::cos(std::numbers::pi * v); };
  switch (touch) {
    case even:
      return x;
    case soft:
      return smooth(x);
    case sharp:
      return smooth(std::min(1.0, 3.0 * x));
  }
  return x;
}

}  // namespace

const Choreography& choreography(Dance dance) { return kRepertoire[static_cast<size_t>(dance)]; }

double advance(std::span<const Note> notes, double beat) {
  double length = 0, cycles = 0;
  for (const Note& note : notes) length += note.beats, cycles += note.cycles;
  require(length > 0, "synth::advance: a score must last some time");
  const double rounds = std::floor(beat / length);
  double left = beat - rounds * length;
  double turned = rounds * cycles;
  for (const Note& note : notes) {
    if (left < note.beats) {
      turned += note.cycles * touched(note.touch, left / note.beats);
      break;
    }
    left -= note.beats;
    turned += note.cycles;
  }
  return 2 * std::numbers::pi * turned;
}

}  // namespace laban::synth
