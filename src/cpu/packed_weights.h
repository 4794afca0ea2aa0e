// Copies of convolution weights in the layouts that fast kernels want.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/host_block.h"
#include "cpu/conv_kernel.h"

namespace laban::cpu {

/// Packs each weight tensor once per version and layout: an evaluation never repacks, training repacks once a
/// step. Plans that want the same layout of the same weights share the copy.
///
/// A copy belongs to an address, and addresses are used again when networks come and go; so whenever the
/// backend hands out new memory it calls distrust(), and every copy is made anew before its next use.
class PackedWeights {
 public:
  /// The copy of `weights` that `kernel` wants, made now if there is none of this version.
  const void* get(const Tensor& weights, uint64_t version, const ConvTransform& kernel, ThreadPool& pool);
  /// Takes the memory of that copy, so that get() will not have to.
  void reserve(const Tensor& weights, const ConvTransform& kernel) { find_or_make(weights, kernel); }
  void distrust() { ++epoch_; }

 private:
  struct Copy {
    ConvTransform::PackingKey key;
    DType dtype;
    HostBlock memory;
    uint64_t version = 0, epoch = 0;
  };
  Copy& find_or_make(const Tensor& weights, const ConvTransform& kernel);

  std::map<const void*, std::vector<Copy>> copies_;
  uint64_t epoch_ = 1;  // a copy of epoch 0 has never been made
};

}  // namespace laban::cpu
