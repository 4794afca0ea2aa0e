// The setting of the dance: a random camera and a painted room.
#pragma once

#include "core/rng.h"
#include "data/synth/canvas.h"

namespace laban::synth {

struct Stage {
  Camera camera;
  Lighting lighting;
  Canvas backdrop;  // the empty room
};

/// A camera that faces the center of the floor from a random distance, height and zoom: dancers within about
/// a meter of the center are fully visible in the central height x height square.
Stage draw_stage(Rng& rng, int width, int height);

}  // namespace laban::synth
