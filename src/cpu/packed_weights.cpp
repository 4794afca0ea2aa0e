#include "cpu/packed_weights.h"

namespace laban::cpu {

PackedWeights::Copy& PackedWeights::find_or_make(const void* weights, const dnnl::memory::desc& plain,
                                                 const dnnl::memory::desc& wanted) {
  auto& copies = copies_[weights];
  for (const auto& copy : copies)
    if (copy->plain == plain && copy->wanted == wanted) return *copy;
  copies.push_back(std::make_unique<Copy>(
      Copy{plain, wanted, dnnl::memory(wanted, dnn_.engine), make_reorder(dnn_, plain, wanted, false)}));
  return *copies.back();
}

void PackedWeights::reserve(const void* weights, const dnnl::memory::desc& plain,
                            const dnnl::memory::desc& wanted) {
  if (plain != wanted) find_or_make(weights, plain, wanted);
}

const void* PackedWeights::get(const void* weights, uint64_t version, const dnnl::memory::desc& plain,
                               const dnnl::memory::desc& wanted) {
  if (plain == wanted) return weights;
  Copy& copy = find_or_make(weights, plain, wanted);
  void* packed = copy.memory.get_data_handle();
  if (copy.epoch != epoch_ || copy.version != version) {
    copy.reorder.execute(dnn_, {weights, packed});
    copy.version = version;
    copy.epoch = epoch_;
  }
  return packed;
}

}  // namespace laban::cpu
