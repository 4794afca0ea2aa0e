// The op interface: what a device must be able to do so that every layer, loss and optimizer runs on it.
//
// Ops are coarse (a whole convolution, a whole fused batch norm) and their arguments are structs: one struct
// an op, `run(op, scratch)` to execute it. Shapes and dtypes are checked by the layers that build the
// structs; a backend may rely on them. All activations are NDHWC (tensor.h).
//
// dtypes: with compute type f64 everything is f64. With f32 or bf16, activations, their gradients and the
// `w` of convolutions and linear layers have the compute type; biases, gamma/beta, statistics, losses and
// all parameter gradients are f32 (master_of(compute)).
//
// Writing: y, dx and other outputs are overwritten; parameter gradients (dw, dbias, dgamma, dbeta) are always
// ACCUMULATED, so that gradient accumulation over micro-batches needs nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "core/op_clock.h"
#include "core/tensor.h"
#include "core/window.h"

namespace laban {

// ---- convolution -------------------------------------------------------------------------------------
// y[n,to,ho,wo,o] = bias[o] + sum_{kt,kh,kw,i} w[o,kt,kh,kw,i] * x[n, to*st-pt+kt, ho*sh-ph+kh, wo*sw-pw+kw,
// i] `weights_version` changes whenever the weights do: a backend may keep a packed copy per (w.data,
// version). `own_channels` of x and w come first, zeros that pad behind them; 0: all are its own.

struct ConvForward {
  Tensor x, w, bias, y;  // bias (vector, master dtype) may be empty
  Window window;
  uint64_t weights_version = 0;
  int64_t own_channels = 0;
};
struct ConvBackwardData {
  Tensor dy, w, dx;
  Window window;
  uint64_t weights_version = 0;
  bool accumulate = false;  // dx += the gradient, instead of dx = it
};
struct ConvBackwardWeights {
  Tensor x, dy, dw, dbias;  // dw, dbias: master dtype, accumulated; dbias may be empty
  Window window;
  int64_t own_channels = 0;
};

// ---- batch normalization (+ residual add) (+ ReLU), fused ----------------------------------------------
// xhat = (x - mean) * inv_std;  z = gamma*xhat + beta (+ residual);  y = relu ? max(z, 0) : z.
// Statistics are per channel over n,t,h,w. inv_std = 1/sqrt(biased variance + eps).
// running = (1-momentum)*running + momentum*batch, the running variance from the UNBIASED batch variance
// (PyTorch's convention; with a single value per channel the biased one is used).

struct BatchNormTrain {
  Tensor x, residual, y;             // residual may be empty
  Tensor gamma, beta;                // vectors
  Tensor mean, inv_std;              // out: saved for backward
  Tensor running_mean, running_var;  // updated; both empty: not tracked
  bool relu = false;
  double momentum = 0.1, eps = 1e-5;
};
struct BatchNormInfer {
  Tensor x, residual, y;
  Tensor gamma, beta, running_mean, running_var;
  bool relu = false;
  double eps = 1e-5;
};
/// g = relu ? dy * (y > 0) : dy;  dresidual = g;  dbeta += sum g;  dgamma += sum g*xhat;
/// batch statistics:  dx = gamma*inv_std * (g - mean(g) - xhat*mean(g*xhat));
/// frozen statistics: dx = gamma*inv_std * g.
struct BatchNormBackward {
  Tensor x, y, dy, dx;  // y is needed only where relu
  Tensor dresidual;     // may be empty; may share memory with dy (in place); never with dx
  Tensor gamma, mean, inv_std, dgamma, dbeta;
  /// Where y came from x alone (no residual) by BatchNormTrain: its beta. A backend may then tell y > 0 from
  /// x, which it reads anyway, and leave y unread. Else empty.
  Tensor beta;
  bool relu = false;
  bool frozen = false;  // mean and inv_std were constants (running statistics)
};
/// inv_std = 1/sqrt(running_var + eps): for backward through frozen statistics.
struct InverseStd {
  Tensor variance, inv_std;
  double eps = 1e-5;
};

// ---- elementwise and pools ------------------------------------------------------------------------------

struct ReluForward {
  Tensor x, y;
};  // y may be x
struct ReluBackward {
  Tensor y, dy, dx;
};  // dx = dy * (y > 0); dx may be dy
struct Accumulate {
  Tensor from, into;
};  // into += from, both of one dtype
struct Cast {
  Tensor from, to;
};  // any of f64, f32, bf16 to any other, to nearest (f64 to bf16 by way of f32). `to` may have more channels
    // than `from`, for padding: these become zero

/// Padding counts as minus infinity. `taps` (u8, y's shape) notes which element of the window won, as
/// (kt*kH + kh)*kW + kw; the first of equals in that order. NaN wins; of several NaN, the last.
struct MaxPoolForward {
  Tensor x, y, taps;  // taps may be empty in evaluation
  Window window;
};
struct MaxPoolBackward {
  Tensor dy, taps, dx;  // dx overwritten: windows that overlap add up
  Window window;
};
struct GlobalAvgPoolForward {
  Tensor x, y;
};  // y: n x c, mean over t,h,w
struct GlobalAvgPoolBackward {
  Tensor dy, dx;
};

/// y = keep ? x/(1-p) : 0. keep is a pure function of (seed, stream, step, element index) and is recomputed
/// in backward: element i uses word i%4 of philox({i/4 low, i/4 high, s low, s high}, seed); keep iff word *
/// 2^-32 >= p. s is `stream`, or dropout_stream(seed, stream, *step) where there is a step: it lies in the
/// backend's memory so that a recorded step draws new masks. Forward and backward are the same op: x, y or
/// dy, dx. y may be x.
struct Dropout {
  Tensor x, y;
  double p = 0.5;
  uint64_t seed = 0, stream = 0;
  Tensor step = {};  // i64 scalar; may be empty
};

/// Shortcut A of He et al. / Hara et al.: every stride-th element along t, h, w; channels beyond x's are
/// zero.
struct SubsampleForward {
  Tensor x, y;
  std::array<int64_t, 3> stride{1, 1, 1};
};
struct SubsampleBackward {
  Tensor dy, dx;  // dx overwritten (zero where nothing was taken)
  std::array<int64_t, 3> stride{1, 1, 1};
};

// ---- the network's input -------------------------------------------------------------------------------

/// Clips from decoded frames, in one pass: resize, crop, turn, color, (value/255 - mean)/std as
/// value*scale + shift. math/frame_pixel.h has the formula of a pixel.
struct ClipsFromFrames {
  Tensor bytes;       // u8: planes of all frames, as decoded
  Tensor placements;  // u8: a FramePlacement (core/frame_placement.h) for each of the n*t frames
  Tensor y;           // n x t x h x w x 3, or with more channels, which become zero
  std::array<float, 3> scale{1, 1, 1}, shift{0, 0, 0};
};

/// Pairs of clips in one (mixup, cutmix). Clip n with its partner m = partner[n]: inside the box of rows top
/// to bottom and columns left to right (ends not included) y = x[m]; elsewhere y = share*x[n] +
/// (1-share)*x[m] (math/mix.h). Channels of padding stay zero.
struct MixClips {
  Tensor x, y;     // of one shape and type; never the same memory
  Tensor partner;  // i32 vector of n
  Tensor share;    // master dtype, vector of n
  Tensor box;      // i32, n x 4: top, left, bottom, right
};

// ---- linear and loss ---------------------------------------------------------------------------------

struct LinearForward {
  Tensor x, w, bias, y;
};  // y = x w^T + bias; x: n x in, w: out x in; y master dtype
struct LinearBackwardData {
  Tensor dy, w, dx;
};  // dx = dy w; dy master dtype, dx compute dtype
struct LinearBackwardWeights {
  Tensor x, dy, dw, dbias;
};  // dw += dy^T x; dbias += column sums of dy

/// Per sample: loss = -sum_k q_k log p_k with p = softmax(logits), q = (1-smoothing)*onehot +
/// smoothing/classes (PyTorch's label smoothing). dlogits = scale * (p - q). A label outside [0, classes) is
/// the caller's error. Of a mixed clip, onehot is share*onehot(label) + (1-share)*onehot(other_label).
struct SoftmaxCrossEntropy {
  Tensor logits;   // n x classes, master dtype
  Tensor labels;   // i32 vector of n
  Tensor loss;     // vector of n, master dtype
  Tensor dlogits;  // n x classes; may be empty (evaluation)
  double smoothing = 0, scale = 1;
  Tensor other_labels = {}, share = {};  // i32 and master dtype, vectors of n; both empty: no mixed clips
};
struct Softmax {
  Tensor logits, probabilities;
};

// ---- optimizer (on the flat parameter arena) ---------------------------------------------------------

/// A run of the flat arena whose parameters share their settings.
struct ParameterSegment {
  int64_t begin = 0, end = 0;  // elements
  double lr_scale = 1, weight_decay = 0;
};
/// What changes from step to step, in the backend's memory so that a captured CUDA graph can read it:
/// control[0] = learning rate, control[1] = step number (from 1). f64 vector of 2.
/// Gradient clipping: where max_norm > 0, gradients are scaled by min(1, max_norm / (sqrt(*norm_squared) +
/// 1e-6)). Where there is a norm and it is not finite, the step leaves everything as it is: a NaN must not
/// reach the weights, and to look at the norm first would make the host wait for the device.
struct OptimizerCommon {
  Tensor weights, grads;  // flat, master dtype
  Tensor working;         // flat bf16 copy to write as well; may be empty
  Tensor control;
  Tensor norm_squared;  // f64 scalar (SumOfSquares of grads); empty: no clipping, no guard
  double max_norm = 0;
  std::span<const ParameterSegment> segments;
};
/// PyTorch's SGD: g += weight_decay*w; v = momentum*v + g (v = g on step 1);
/// d = nesterov ? g + momentum*v : v;  w -= lr*d.
struct SgdStep {
  OptimizerCommon common;
  Tensor velocity;
  double momentum = 0;
  bool nesterov = false;
};
/// PyTorch's Adam / AdamW: AdamW (decoupled) first w *= 1 - lr*weight_decay; Adam adds weight_decay*w to g.
/// m = b1*m + (1-b1)*g; v = b2*v + (1-b2)*g^2; w -= lr * (m/(1-b1^t)) / (sqrt(v/(1-b2^t)) + eps).
struct AdamStep {
  OptimizerCommon common;
  Tensor m, v;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool decoupled = false;
};
/// average += (1 - decay) * (values - average): math/moving_average.h. Both flat, of one master dtype.
struct MovingAverage {
  Tensor average, values;
  double decay = 0.999;
};
struct SumOfSquares {
  Tensor x, result;
};  // result: f64 scalar, overwritten
struct SetZero {
  Tensor x;
};

/// A sequence of ops that was recorded once and runs again at one call (a CUDA graph): the same ops on the
/// same addresses. It must not outlive the backend.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

/// Where an op may put intermediate results for the duration of one run().
struct Scratch {
  void* data = nullptr;
  size_t bytes = 0;
};

/// Memory owned by a backend's device. 64-byte aligned, at least.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual void* data() = 0;
  virtual size_t bytes() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// "reference", "cpu", "cuda".
  virtual std::string_view name() const = 0;
  virtual Device device() const = 0;
  virtual bool supports(DType compute) const = 0;
  /// Channels, the clip's included, are zero-padded to a multiple of this inside (1: never); checkpoints do
  /// not see it.
  virtual int64_t channel_multiple(DType /*compute*/) const { return 1; }

  virtual std::unique_ptr<Memory> allocate(size_t bytes) = 0;
  /// Host to device and back; ordered with the ops, complete on return.
  virtual void upload(const Tensor& to, const void* from) = 0;
  virtual void download(void* to, const Tensor& from) = 0;
  virtual void synchronize() {}
  /// A sentence that whoever starts the program should read (a cache that cannot be used, say); empty: none.
  virtual std::string note() const { return {}; }
  /// Bytes that allocate() could still give, where the backend can tell.
  virtual std::optional<size_t> free_bytes() { return std::nullopt; }

  // Uploads beside the ops, so that the next batch travels while this one is computed.
  /// Host memory for the source of begin_upload().
  virtual std::unique_ptr<Memory> allocate_staging(size_t bytes) = 0;
  /// Begins to copy `from`, which lies in memory of allocate_staging(), without waiting for ops sent before.
  /// Until ops sent after the next await_uploads() have ended, `from` must stay as it is and nobody else may
  /// use `to`.
  virtual void begin_upload(const Tensor& to, const void* from) { upload(to, from); }
  /// Ops sent from now on see what the uploads begun before have brought.
  virtual void await_uploads() {}

  /// Records the ops that `body` runs instead of running them; `body` may neither upload nor download. Null
  /// where this backend does not record; `body` has then not been called.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& /*body*/) { return nullptr; }

  /// Whether this op rounds the gradient of the batch to the compute type before it adds it to what was
  /// there: what a check of its result must allow for.
  virtual bool rounds_before_adding(const ConvBackwardWeights&) { return false; }
  virtual bool rounds_before_adding(const ConvBackwardData&) { return false; }

  virtual std::unique_ptr<OpClock> clock() { return std::make_unique<HostClock>(); }

  /// Bytes of scratch that run(op) needs. Called for every op in a dry run, then again in every step: cheap.
  template <class Op>
  size_t scratch_bytes(const Op& op) {
    return scratch_for(op);
  }
  /// Called once per op in the dry run: build and cache what run() needs (oneDNN primitives, cuDNN plans).
  template <class Op>
  void prepare(const Op& op) {
    prepare_for(op);
  }

  virtual void run(const ConvForward&, Scratch) = 0;
  virtual void run(const ConvBackwardData&, Scratch) = 0;
  virtual void run(const ConvBackwardWeights&, Scratch) = 0;
  virtual void run(const BatchNormTrain&, Scratch) = 0;
  virtual void run(const BatchNormInfer&, Scratch) = 0;
  virtual void run(const BatchNormBackward&, Scratch) = 0;
  virtual void run(const InverseStd&, Scratch) = 0;
  virtual void run(const ReluForward&, Scratch) = 0;
  virtual void run(const ReluBackward&, Scratch) = 0;
  virtual void run(const Accumulate&, Scratch) = 0;
  virtual void run(const Cast&, Scratch) = 0;
  virtual void run(const MaxPoolForward&, Scratch) = 0;
  virtual void run(const MaxPoolBackward&, Scratch) = 0;
  virtual void run(const GlobalAvgPoolForward&, Scratch) = 0;
  virtual void run(const GlobalAvgPoolBackward&, Scratch) = 0;
  virtual void run(const Dropout&, Scratch) = 0;
  virtual void run(const SubsampleForward&, Scratch) = 0;
  virtual void run(const SubsampleBackward&, Scratch) = 0;
  virtual void run(const ClipsFromFrames&, Scratch) = 0;
  virtual void run(const MixClips&, Scratch) = 0;
  virtual void run(const LinearForward&, Scratch) = 0;
  virtual void run(const LinearBackwardData&, Scratch) = 0;
  virtual void run(const LinearBackwardWeights&, Scratch) = 0;
  virtual void run(const SoftmaxCrossEntropy&, Scratch) = 0;
  virtual void run(const Softmax&, Scratch) = 0;
  virtual void run(const SgdStep&, Scratch) = 0;
  virtual void run(const AdamStep&, Scratch) = 0;
  virtual void run(const MovingAverage&, Scratch) = 0;
  virtual void run(const SumOfSquares&, Scratch) = 0;
  virtual void run(const SetZero&, Scratch) = 0;

 protected:
  // Only ops that some backend wants scratch or preparation for have an overload here; add as needed.
  template <class Op>
  size_t scratch_for(const Op&) {
    return 0;
  }
  virtual size_t scratch_for(const ConvForward&) { return 0; }
  virtual size_t scratch_for(const ConvBackwardData&) { return 0; }
  virtual size_t scratch_for(const ConvBackwardWeights&) { return 0; }
  virtual size_t scratch_for(const BatchNormTrain&) { return 0; }
  virtual size_t scratch_for(const BatchNormInfer&) { return 0; }
  virtual size_t scratch_for(const BatchNormBackward&) { return 0; }
  virtual size_t scratch_for(const MaxPoolBackward&) { return 0; }
  virtual size_t scratch_for(const GlobalAvgPoolForward&) { return 0; }
  virtual size_t scratch_for(const LinearForward&) { return 0; }
  virtual size_t scratch_for(const LinearBackwardData&) { return 0; }
  virtual size_t scratch_for(const LinearBackwardWeights&) { return 0; }
  virtual size_t scratch_for(const SumOfSquares&) { return 0; }
  template <class Op>
  void prepare_for(const Op&) {}
  virtual void prepare_for(const ConvForward&) {}
  virtual void prepare_for(const ConvBackwardData&) {}
  virtual void prepare_for(const ConvBackwardWeights&) {}
  virtual void prepare_for(const LinearForward&) {}
  virtual void prepare_for(const LinearBackwardData&) {}
  virtual void prepare_for(const LinearBackwardWeights&) {}
};

}  // namespace laban
