// The op interface: what a device must be able to do so that every layer, loss and optimizer runs on it.
//
// Ops are coarse (a whole convolution, a whole fused batch norm) and their arguments are structs: one struct
// an op (core/ops), `run(op, scratch)` to execute it. Shapes and dtypes are checked by the layers that build
// the structs; a backend may rely on them. All activations are NDHWC (tensor.h).
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
#include <string_view>

#include "core/memory.h"
#include "core/op_clock.h"
#include "core/ops/all.h"

namespace laban {

/// A sequence of ops that was recorded once and runs again at one call (a CUDA graph): the same ops on the
/// same addresses. It must not outlive the backend.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

/// What a backend does beside running ops: its memory, and what it says of itself.
class BackendServices {
 public:
  virtual ~BackendServices() = default;

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
  /// The most elements that a tensor may have.
  virtual int64_t most_elements() const { return INT64_MAX; }
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

 protected:
  // What the using declarations of the first op's level find here; nobody calls them.
  void run() = delete;
  void scratch_for() = delete;
  void prepare_for() = delete;
};

/// What a backend does for one op.
template <class Below, class Op>
class RunsOp : public Below {
  static_assert(sizeof(CompleteOp<Op>) > 0);

 public:
  using Below::run;
  virtual void run(const Op& op, Scratch scratch) = 0;

 protected:
  using Below::prepare_for;
  using Below::scratch_for;
  virtual size_t scratch_for(const Op&) { return 0; }
  virtual void prepare_for(const Op&) {}
};

/// run(), scratch_for() and prepare_for() for every op of AllOps, on top of BackendServices. To override some
/// of them, say `using Backend::run;` (scratch_for, prepare_for) beside it.
class Backend : public Chain<RunsOp, BackendServices, AllOps> {
 public:
  /// Bytes of scratch that run(op) needs. Called for every op in a dry run, then again in every step: cheap.
  template <class Op>
  size_t scratch_bytes(const Op& op) {
    return scratch_for(op);
  }
  /// Called once per op in the dry run: build and cache what run() needs (a choice of algorithm, cuDNN plans).
  template <class Op>
  void prepare(const Op& op) {
    prepare_for(op);
  }
};

}  // namespace laban
