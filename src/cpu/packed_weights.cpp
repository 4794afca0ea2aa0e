#include "cpu/packed_weights.h"

namespace laban::cpu {

PackedWeights::Copy& PackedWeights::find_or_make(const Tensor& weights, const ConvTransform& kernel) {
  auto& copies = copies_[weights.data];
  const auto key = kernel.packing_key();
  const size_t bytes = kernel.packed_bytes();
  for (Copy& copy : copies)
    if (copy.key == key && copy.bytes == bytes && copy.dtype == weights.dtype) return copy;
  void* memory = ::operator new(bytes, kAlignment);
  copies.push_back({.key = key,
                    .bytes = bytes,
                    .dtype = weights.dtype,
                    .memory = std::unique_ptr<std::byte, Deleter>(static_cast<std::byte*>(memory))});
  return copies.back();
}

const void* PackedWeights::get(const Tensor& weights, uint64_t version, const ConvTransform& kernel,
                               ThreadPool& pool) {
  Copy& copy = find_or_make(weights, kernel);
  if (copy.epoch != epoch_ || copy.version != version) {
    kernel.pack(weights.data, weights.dtype, copy.memory.get(), pool);
    copy.version = version;
    copy.epoch = epoch_;
  }
  return copy.memory.get();
}

}  // namespace laban::cpu
