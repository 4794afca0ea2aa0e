// A planned, runnable network: layers, parameters, arenas, and the step (forward, loss, backward).
#pragma once

#include <map>
#include <memory>
#include <span>

#include "layers/layer.h"
#include "models/model_spec.h"

namespace laban {

struct LossSettings {
  double smoothing = 0;
  double scale = 1;  // of the gradient: 1 / (batch * accumulation steps)
};

class Network {
 public:
  /// Builds the layers of `spec` and binds their parameters; call store().initialize(seed) or load weights next.
  Network(Backend& backend, DType compute, ModelSpec spec);
  ~Network();

  const ModelSpec& spec() const { return spec_; }
  Backend& backend() const { return backend_; }
  DType compute() const { return compute_; }
  ParameterStore& store() { return *store_; }
  /// Throws Error naming the layer where clips of this shape (n, 3, t, h, w) do not fit.
  Shape output_shape(const Shape& clips) const;
  std::vector<LayerRow> describe(const Shape& clips) const;

  /// One micro-batch: forward, softmax cross-entropy, backward. Gradients are accumulated.
  /// `clips`: backend memory, compute dtype, n x t x h x w x 3. `labels`: host. Results are host copies:
  /// `losses[n]` and, where not empty, `logits[n*classes]`. `dclips` (backend memory) may be empty.
  /// The first call for a shape plans it (dry run); later calls allocate nothing.
  void train_step(const Tensor& clips, std::span<const int32_t> labels, const LossSettings& loss, uint64_t seed,
                  uint64_t step, std::span<double> losses, std::span<double> logits = {},
                  Mode mode = Mode::train, const Tensor& dclips = {});
  /// Class probabilities in evaluation mode (running statistics): `probabilities[n*classes]`, and `losses[n]` where labels are given.
  void evaluate(const Tensor& clips, std::span<double> probabilities, std::span<const int32_t> labels = {},
                std::span<double> losses = {});

  /// Arena bytes of the plans made so far, and bytes of parameters, gradients and statistics.
  size_t activation_bytes() const;
  size_t parameter_bytes() const;

 private:
  struct Plan;
  Plan& plan(const Shape& clips, Mode mode, bool need_dclips, double smoothing);

  Backend& backend_;
  DType compute_;
  ModelSpec spec_;
  std::unique_ptr<Layer> body_;
  std::unique_ptr<ParameterStore> store_;
  std::vector<std::unique_ptr<Plan>> plans_;
};

}  // namespace laban
