// Host memory, and copies from and to it.
#include <cstring>

#include "core/host_block.h"
#include "reference/reference_backend.h"

namespace laban::reference {
namespace {

class HostMemory : public Memory {
 public:
  explicit HostMemory(size_t bytes) : block_(bytes) {}

  void* data() override { return block_.data(); }
  size_t bytes() const override { return block_.bytes(); }

 private:
  HostBlock block_;
};

}  // namespace

std::unique_ptr<Memory> OnHost::allocate(size_t bytes) { return std::make_unique<HostMemory>(bytes); }

void OnHost::upload(const Tensor& to, const void* from) { std::memcpy(to.data, from, to.bytes()); }

void OnHost::download(void* to, const Tensor& from) { std::memcpy(to, from.data, from.bytes()); }

}  // namespace laban::reference
