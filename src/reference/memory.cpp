// Host memory, and copies from and to it.
#include <cstring>
#include <new>

#include "reference/reference_backend.h"

namespace laban::reference {
namespace {

constexpr std::align_val_t kAlignment{64};

class HostMemory : public Memory {
 public:
  explicit HostMemory(size_t bytes) : bytes_(bytes), data_(::operator new(bytes, kAlignment)) {}
  ~HostMemory() override { ::operator delete(data_, kAlignment); }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  void* data() override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  size_t bytes_;
  void* data_;
};

}  // namespace

std::unique_ptr<Memory> OnHost::allocate(size_t bytes) { return std::make_unique<HostMemory>(bytes); }

void OnHost::upload(const Tensor& to, const void* from) { std::memcpy(to.data, from, to.bytes()); }

void OnHost::download(void* to, const Tensor& from) { std::memcpy(to, from.data, from.bytes()); }

}  // namespace laban::reference
