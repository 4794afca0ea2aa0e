// Where the dance happens: a camera and a painted room, drawn by lot.
#pragma once

#include "core/rng.h"
#include "data/synth/canvas.h"

namespace laban::synth {

struct Stage {
  Camera camera;
  Lighting lighting;
  Canvas backdrop;  // the empty room
};

/// Looks from the front at the middle of the floor, from a drawn distance, height and zoom: dancers within
/// about a meter of the middle are seen whole in the central height x height square.
Stage draw_stage(Rng& rng, int width, int height);

}  // namespace laban::synth
