// What a Network keeps for each kind of pass. For network*.cpp only.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/arena.h"
#include "core/backend.h"
#include "models/network.h"

namespace laban {

/// What one call asks for.
struct Network::Pass {
  Tensor clips = {};
  std::span<const int32_t> labels = {};  // empty: no loss (evaluation only)
  std::span<double> losses = {};
  std::span<double> scores = {};  // logits in a training step, probabilities in evaluation
  Mode mode = Mode::train;
  LossSettings loss = {};
  uint64_t seed = 0, step = 0;
  Tensor dclips = {};
  bool probabilities = false;  // scores are to be these (evaluation only)
  LabelMix mix = {};
  bool weights_stay = false;
  bool features = false;  // scores are to be what the last layer sees (evaluation only)
};

/// What a recorded pass holds fast: recorded once, it can serve only calls that ask for the same.
struct Recorded {
  void *clips, *dclips;
  double smoothing, scale;
  uint64_t seed;
  std::unique_ptr<Recording> recording = {};
};

/// An arena for one kind of pass, its inputs and results, and host memory for these.
struct Network::Plan {
  Plan(Backend& backend, const Pass& pass, int64_t scores_a_clip, int64_t classes, DType master)
      : clips(pass.clips.shape),
        mode(pass.mode),
        has_labels(!pass.labels.empty()),
        has_dclips(!pass.dclips.empty()),
        probabilities(pass.probabilities),
        has_mix(!pass.mix.empty()),
        has_class_weights(!pass.loss.class_weights.empty()),
        features(pass.features),
        weights_stay(pass.weights_stay),
        arena(backend),
        host(static_cast<size_t>(std::max(clips.n * scores_a_clip, classes)) * size_of(DType::f64)) {
    const auto lines = [](int64_t count, DType dtype) {
      return (static_cast<size_t>(count) * size_of(dtype) + kLine - 1) / kLine * kLine;
    };
    const size_t integers = lines(clips.n, DType::i32);
    inputs = backend.allocate(kLine + 2 * integers + lines(clips.n, master) + lines(classes, master));
    auto* at = static_cast<std::byte*>(inputs->data());
    const Shape each = Shape::vector(clips.n);
    step = Tensor(at, DType::i64, Shape::vector(1), backend.device());
    labels = Tensor(at += kLine, DType::i32, each, backend.device());
    other_labels = Tensor(at += integers, DType::i32, each, backend.device());
    fraction = Tensor(at += integers, master, each, backend.device());
    class_weights = Tensor(at += lines(clips.n, master), master, Shape::vector(classes), backend.device());
  }

  bool serves(const Pass& pass) const {
    return clips == pass.clips.shape && mode == pass.mode && has_labels == !pass.labels.empty() &&
           has_dclips == !pass.dclips.empty() && probabilities == pass.probabilities &&
           has_mix == !pass.mix.empty() && has_class_weights == !pass.loss.class_weights.empty() &&
           features == pass.features && weights_stay == pass.weights_stay;
  }

  Shape clips;
  Mode mode;
  bool has_labels, has_dclips, probabilities, has_mix, has_class_weights, features, weights_stay;
  Arena arena;
  static constexpr size_t kLine = 64;
  std::unique_ptr<Memory> inputs;
  // In `inputs`; outside the arena, because they are written before a pass begins.
  Tensor step, labels, other_labels, fraction, class_weights;
  Tensor losses, scores;                    // of the last pass: they stay in the arena until its next one
  std::vector<double> class_weights_there;  // what `class_weights` holds
  std::vector<std::byte> host;
  bool warm = false;  // has run once: what a backend sets up lazily is there, and recording may begin
  std::vector<Recorded> recorded;
};

}  // namespace laban
