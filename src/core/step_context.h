// What a layer needs to run: the backend, the arena, and what kind of pass this is.
#pragma once

#include "core/arena.h"
#include "core/backend.h"
#include "core/pass_mode.h"

namespace laban {

/// Throws Error, with the batch that would fit, for activations of more elements than the backend can index.
void require_indexable(const Shape& activations, const Backend& backend);

struct StepContext {
  Backend& backend;
  Arena& arena;
  Mode mode = Mode::train;
  DType compute = DType::f32;
  uint64_t seed = 0;             // dropout
  Tensor step = {};              // dropout: i64 scalar in the backend's memory, a new mask in every step
  uint64_t weights_version = 0;  // changes whenever the parameters do
  bool weights_stay = true;  // whether another pass may come before they do: copies of them are worth keeping
  // Whether backward will ask for the gradient of the input of what runs now: because the caller wants it, or
  // because something that learns lies below. Where it will not, a layer that does not learn saves nothing.
  bool input_gradient = true;

  DType master() const { return master_of(compute); }

  Value take(const Shape& shape) { return take(shape, compute); }
  /// Throws Error for a tensor of more elements than the backend can index.
  Value take(const Shape& shape, DType dtype) {
    if (arena.planning()) require_indexable(shape, backend);
    return arena.take(shape, dtype);
  }

  /// Runs an op, with its scratch from the arena. In a dry run the backend only prepares it.
  template <class Op>
  void run(const Op& op) {
    const size_t bytes = backend.scratch_bytes(op);
    Value scratch;
    if (bytes) scratch = arena.take(Shape::vector(static_cast<int64_t>(bytes)), DType::u8);
    if (arena.planning())
      backend.prepare(op);
    else
      backend.run(op, Scratch{scratch.tensor().data, bytes});
  }
};

}  // namespace laban
