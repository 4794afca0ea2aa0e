#include "cpu/packed_weights.h"

namespace laban::cpu {

PackedWeights::Copy& PackedWeights::find_or_make(const Tensor& weights, const ConvTransform& kernel) {
  auto& copies = copies_[weights.data];
  const auto key = kernel.packing_key();
  const size_t bytes = kernel.packed_bytes();
  for (Copy& copy : copies)
    if (copy.key == key && copy.memory.bytes() == bytes && copy.dtype == weights.dtype) return copy;
  copies.push_back({.key = key, .dtype = weights.dtype, .memory = HostBlock(bytes)});
  return copies.back();
}

const void* PackedWeights::get(const Tensor& weights, uint64_t version, const ConvTransform& kernel,
                               ThreadPool& pool) {
  Copy& copy = find_or_make(weights, kernel);
  if (copy.epoch != epoch_ || copy.version != version) {
    kernel.pack(weights.data, weights.dtype, copy.memory.data(), pool);
    copy.version = version;
    copy.epoch = epoch_;
  }
  return copy.memory.data();
}

}  // namespace laban::cpu
