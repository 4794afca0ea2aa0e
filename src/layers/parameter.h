// Parameters and statistics, and the flat arenas that hold them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/rng.h"

namespace laban {

/// How a parameter starts. Draws come from Rng(seed, Purpose::init, hash of the parameter's name), in the
/// order of the PyTorch layout (O,I,kT,kH,kW), so they depend on neither the memory layout nor the other
/// parameters.
struct Initializer {
  enum class Kind { constant, kaiming_normal_fan_out, normal } kind = Kind::constant;
  double value = 0;  // constant: the value; normal: the standard deviation
};

/// A trainable tensor. `shape` is what checkpoints see; `storage` may have channels (n and c) padded with
/// zeros.
struct Parameter {
  std::string name;  // torchvision's state-dict key, e.g. "layer1.0.conv1.0.weight"
  Shape shape;
  Shape storage;
  Initializer init;
  bool decay = true;  // weight decay applies (torchvision's reference recipe decays everything)
  // Which sides meet channel-padded activations. Not so: the classes.
  bool pad_n = false, pad_c = true;

  Tensor value;    // master weights (f32, or f64 where the compute type is f64), a view into the flat arena
  Tensor working;  // what ops read: `value` itself, or its bf16 copy
  Tensor grad;     // master dtype

  /// Dimensions of the tensor in PyTorch, which checkpoints keep: 5 for any convolution (also 1x1x1), 2 for a
  /// linear weight, 1 for a vector. 0: told from the shape, which cannot tell a 1x1x1 convolution from a
  /// matrix.
  int rank = 0;
  /// Does not learn. Never so for a part of a layer's parameters.
  bool frozen = false;
};

/// State that is saved but not trained: running_mean, running_var.
struct Statistic {
  std::string name;
  Shape shape;
  Shape storage;
  double initial = 0;
  Tensor value;         // master dtype
  bool frozen = false;  // a constant in training, too
};

/// PyTorch's num_batches_tracked: from how many batches a batch norm's running statistics come. Kept on the
/// host; nothing is computed from it.
struct Counter {
  std::string name;
  int64_t value = 0;
  bool frozen = false;  // as the statistics are
};

/// What a layer tree consists of, in torchvision's order. Pointers into the layers, which own them.
struct ParameterList {
  std::vector<Parameter*> parameters = {};
  std::vector<Statistic*> statistics = {};
  std::vector<Counter*> counters = {};
};

/// The shape under which PyTorch knows a parameter: (O, I, kT, kH, kW), (out, in) or (c).
std::vector<int64_t> torch_shape(const Parameter& parameter);

/// Owns the flat arenas: weights, gradients, statistics and, with bf16, the working copy; binds the tensors
/// of a list into them. The parameters of the list must outlive the store and stay where they are.
class ParameterStore {
 public:
  /// Throws Error where the backend does not support `compute` or two entries share a name. Everything starts
  /// as zero: call initialize() or write() next.
  ParameterStore(Backend& backend, DType compute, ParameterList list);

  /// Draws every parameter anew from `seed`, resets statistics and counters, zeroes gradients.
  void initialize(uint64_t seed);
  void zero_gradients();
  /// To be called after a forward pass that has moved the running statistics.
  void count_batch();
  /// Must be called by whoever writes weights: refreshes the bf16 copy where asked (the optimizer writes it
  /// itself) and bumps version().
  void weights_changed(bool refresh_working);
  uint64_t version() const { return version_; }

  const ParameterList& list() const { return list_; }
  Backend& backend() const { return backend_; }
  DType compute() const { return compute_; }
  /// Flat views over all parameters (padded storage, each parameter 64-byte aligned; gaps are zero).
  Tensor weights() const { return weights_; }
  Tensor grads() const { return grads_; }
  Tensor working() const { return working_; }  // empty unless bf16
  Tensor statistics() const { return statistics_; }
  /// Trainable elements without padding.
  int64_t parameter_count() const;

  /// Where `parameter` lies in the flat arenas, in elements.
  int64_t offset_of(const Parameter& parameter) const;
  /// The part of `flat` that belongs to `parameter`, with its storage shape; `flat` is laid out as weights()
  /// is (gradients, an optimizer's moments, ...).
  Tensor part(const Tensor& flat, const Parameter& parameter) const;

  // Host copies in PyTorch's order (O,I,kT,kH,kW) of the logical shape, padding left out or set to zero.
  // Doubles hold f32 exactly. write() throws Error where the count differs; after writing weights call
  // weights_changed(true).
  std::vector<double> read(const Tensor& flat, const Parameter& parameter) const;
  void write(const Tensor& flat, const Parameter& parameter, std::span<const double> values);
  std::vector<double> read(const Statistic& statistic) const { return read(statistics_, statistic); }
  /// `flat` is laid out as statistics() is.
  std::vector<double> read(const Tensor& flat, const Statistic& statistic) const;
  void write(const Statistic& statistic, std::span<const double> values);

 private:
  Backend& backend_;
  DType compute_;
  ParameterList list_;
  std::unique_ptr<Memory> memory_;
  Tensor weights_, grads_, working_, statistics_;
  uint64_t version_ = 1;
};

}  // namespace laban
