#include "cpu/packed_weights.h"

namespace laban::cpu {

PackedWeights::Copy& PackedWeights::find_or_make(const void* weights,
                                                 const std::shared_ptr<WeightLayout>& layout) {
  auto& copies = copies_[weights];
  for (Copy& copy : copies)
    if (copy.layout == layout || copy.layout->same_as(*layout)) return copy;
  void* memory = ::operator new(layout->bytes(), kAlignment);
  copies.push_back({layout, std::unique_ptr<std::byte, Deleter>(static_cast<std::byte*>(memory))});
  return copies.back();
}

const void* PackedWeights::get(const void* weights, uint64_t version,
                               const std::shared_ptr<WeightLayout>& layout) {
  Copy& copy = find_or_make(weights, layout);
  if (copy.epoch != epoch_ || copy.version != version) {
    copy.layout->pack(weights, copy.memory.get());
    copy.version = version;
    copy.epoch = epoch_;
  }
  return copy.memory.get();
}

}  // namespace laban::cpu
