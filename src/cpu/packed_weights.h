// Copies of convolution weights in the layouts that oneDNN wants.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "core/tensor.h"
#include "cpu/onednn.h"

namespace laban::cpu {

/// Packs each weight tensor once per version and layout: an evaluation never repacks, training repacks once a
/// step. Plans that want the same layout of the same weights share the copy.
///
/// A copy belongs to an address, and addresses are used again when networks come and go; so whenever the
/// backend hands out new memory it calls distrust(), and every copy is made anew before its next use.
class PackedWeights {
 public:
  explicit PackedWeights(const OneDnn& dnn) : dnn_(dnn) {}

  /// `plain`: how `weights` lies in memory; `wanted`: what oneDNN wants. Returns the weights themselves where
  /// that is the same. Valid until the next call with the same weights.
  const void* get(const void* weights, uint64_t version, const dnnl::memory::desc& plain,
                  const dnnl::memory::desc& wanted);
  /// Reserves the memory of that copy, so that get() will not have to.
  void reserve(const void* weights, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted);
  void distrust() { ++epoch_; }

 private:
  struct Copy {
    dnnl::memory::desc plain, wanted;
    dnnl::memory memory;
    Execution reorder;
    uint64_t version = 0, epoch = 0;
  };
  Copy& find_or_make(const void* weights, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted);

  const OneDnn& dnn_;
  std::map<const void*, std::vector<std::unique_ptr<Copy>>> copies_;
  uint64_t epoch_ = 1;  // a copy of epoch 0 has never been made
};

}  // namespace laban::cpu
