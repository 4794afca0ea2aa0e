// The contract of a layer.
//
//   forward(ctx, x)             computes y. If saves(ctx), it saves what backward needs. Never writes to x,
//                               which the caller may still need (a shortcut reads the same x).
//   backward(ctx, dy, need_dx)  requires a matching forward (std::logic_error otherwise), and there is one
//                               backward per forward. It accumulates parameter gradients, releases what
//                               forward saved, and returns dx, or an empty Value if need_dx is false. It may
//                               overwrite dy if dy.unique().
//
// A layer is not a template: the same code runs in f64 on the reference backend for gradient checks, in f32
// or bf16 on a CPU, in bf16 on CUDA. It uses only Backend's ops, takes its memory from ctx.arena, and never
// asks whether this is a dry run: ctx.run() knows.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/machine_error.h"
#include "core/step_context.h"
#include "layers/graph.h"
#include "layers/layer_row.h"
#include "layers/parameter.h"

namespace laban {

class BatchNorm3d;

class Layer {
 public:
  explicit Layer(std::string name) : name_(std::move(name)) {}
  virtual ~Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  /// The state-dict prefix, e.g. "layer1.0.conv1.0".
  const std::string& name() const { return name_; }

  virtual Value forward(StepContext& ctx, const Value& x) = 0;
  /// forward, then `norm`'s forward_add with `residual` (may be empty). Layers that end in a convolution override
  /// it: where nothing is saved and the statistics are given, both are one op.
  virtual Value forward_normalized(StepContext& ctx, const Value& x, BatchNorm3d& norm,
                                   const Value& residual);
  /// Not called for a layer that has saved nothing (see saves()).
  virtual Value backward(StepContext& ctx, Value dy, bool need_dx) = 0;
  /// The same, but adds dx to `onto`, the gradient of the same input along another path, which nothing else
  /// uses. Layers that can add while they write override it.
  virtual Value backward_onto(StepContext& ctx, Value dy, Value onto) {
    const Value dx = backward(ctx, std::move(dy), true);
    run(ctx, Accumulate{.from = dx.tensor(), .into = onto.tensor()});
    return onto;
  }
  /// Releases the saved tensors of a pass that will have no backward (after an error).
  virtual void clear_saved() = 0;

  /// Output shape for an input shape; throws Error naming the layer if the input does not fit. Here and in
  /// describe(), shapes are logical, without a backend's channel padding.
  virtual Shape output_shape(const Shape& x) const = 0;
  virtual void collect(ParameterList& list) = 0;
  /// Whether this layer or a layer inside it has parameters that are not frozen.
  virtual bool trainable() const { return false; }
  virtual void describe(const Shape& x, std::vector<LayerRow>& rows) const = 0;
  /// Appends what the layer computes in evaluation from the node `x`; returns the node of its output.
  virtual int trace(Graph& /*graph*/, int /*x*/) const {
    throw std::logic_error(name_ + ": cannot be traced, as it does nothing in evaluation");
  }

 protected:
  /// Runs an op. If it fails, the error names the layer.
  template <class Op>
  void run(StepContext& ctx, const Op& op) const {
    try {
      ctx.run(op);
    } catch (const MachineError& error) {
      throw MachineError(text("layer ", name_, ": ", error.sentence()), error.advice());
    } catch (const Error& error) {
      throw Error(text("layer ", name_, ": ", error.sentence()), error.advice());
    }
  }
  /// Whether forward must save what backward needs: there will be a backward pass, and it reaches this layer.
  bool saves(const StepContext& ctx) const {
    return ctx.mode != Mode::evaluate && (ctx.input_gradient || trainable());
  }
  static int append(Graph& graph, GraphNode node) {
    graph.push_back(std::move(node));
    return static_cast<int>(graph.size()) - 1;
  }
  /// Throws the contract's std::logic_error; for the beginning of backward().
  void require_forward(bool saved) const {
    if (!saved) throw std::logic_error(name_ + ": backward without a matching forward");
  }

 private:
  std::string name_;
};

}  // namespace laban
