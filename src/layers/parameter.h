// Parameters and statistics, and the flat arenas that hold them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/memory.h"
#include "core/tensor.h"

namespace laban {

class Backend;

/// How a parameter is initialized. Random values come from Rng(seed, Purpose::init, hash of the parameter's
/// name), in the order of the PyTorch layout (O,I,kT,kH,kW), so they depend on neither the memory layout nor
/// the other parameters.
struct Initializer {
  enum class Kind { constant, kaiming_normal_fan_out, normal } kind = Kind::constant;
  double value = 0;  // constant: the value; normal: the standard deviation
};

/// A trainable tensor. `shape` is what checkpoints contain; in `storage`, channels (n and c) may be padded
/// with zeros.
struct Parameter {
  std::string name;  // torchvision's state-dict key, e.g. "layer1.0.conv1.0.weight"
  Shape shape;
  Shape storage;
  Initializer init;
  bool decay = true;  // weight decay applies (torchvision's reference recipe decays everything)
  // Which dimensions meet channel-padded activations. Classes are not padded.
  bool pad_n = false, pad_c = true;

  Tensor value;    // master weights (f32, or f64 if the compute dtype is f64), a view into the flat arena
  Tensor working;  // what ops read: `value` or its bf16 copy
  Tensor grad;     // master dtype

  /// The rank of the tensor in PyTorch and in checkpoints: 5 for any convolution (also 1x1x1), 2 for a linear
  /// weight, 1 for a vector. 0: inferred from the shape, which cannot distinguish a 1x1x1 convolution from a
  /// matrix.
  int rank = 0;
  /// Not trained. A layer's parameters are frozen either all or not at all.
  bool frozen = false;
};

/// State that is saved but not trained: running_mean, running_var.
struct Statistic {
  std::string name;
  Shape shape;
  Shape storage;
  double initial = 0;
  Tensor value;         // master dtype
  bool frozen = false;  // constant even in training
};

/// PyTorch's num_batches_tracked: the number of batches behind a batch norm's running statistics. Kept on the
/// host; nothing is computed from it.
struct Counter {
  std::string name;
  int64_t value = 0;
  bool frozen = false;  // like the statistics
};

/// The contents of a layer tree, in torchvision's order. Pointers into the layers, which own them.
struct ParameterList {
  std::vector<Parameter*> parameters = {};
  std::vector<Statistic*> statistics = {};
  std::vector<Counter*> counters = {};
};

/// A parameter's shape in PyTorch: (O, I, kT, kH, kW), (out, in) or (c).
std::vector<int64_t> torch_shape(const Parameter& parameter);

/// Owns the flat arenas: weights, gradients, statistics and, with bf16, the working copy; binds the tensors
/// of a list to them. The parameters in the list must outlive the store and must not move.
class ParameterStore {
 public:
  /// Throws Error if the backend does not support `compute`, or if two entries have the same name. Everything
  /// is zero at first: call initialize() or write() next.
  ParameterStore(Backend& backend, DType compute, ParameterList list);

  /// Initializes every parameter from `seed`, resets statistics and counters, zeroes gradients.
  void initialize(uint64_t seed);
  void zero_gradients();
  /// To be called after a forward pass that has updated the running statistics.
  void count_batch();
  /// Must be called after writing weights: refreshes the bf16 copy if asked to (the optimizer writes it
  /// itself) and increments version().
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

  /// The offset of `parameter` in the flat arenas, in elements.
  int64_t offset_of(const Parameter& parameter) const;
  /// The part of `flat` that belongs to `parameter`, with its storage shape; `flat` is laid out like
  /// weights() (gradients, an optimizer's moments, ...).
  Tensor part(const Tensor& flat, const Parameter& parameter) const;

  // Host copies in PyTorch's order (O,I,kT,kH,kW) of the logical shape; padding is omitted when reading and
  // zeroed when writing. Doubles represent f32 exactly. write() throws Error if the count differs; after
  // writing weights, call weights_changed(true).
  std::vector<double> read(const Tensor& flat, const Parameter& parameter) const;
  void write(const Tensor& flat, const Parameter& parameter, std::span<const double> values);
  std::vector<double> read(const Statistic& statistic) const { return read(statistics_, statistic); }
  /// `flat` is laid out like statistics().
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
