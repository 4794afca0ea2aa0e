// Host memory for tensors.
#pragma once

#include <cstddef>

namespace laban {

/// Memory of its own, aligned for any vector register; its contents are indeterminate. A large block asks the
/// system for huge pages: walks over tensors, and kernels that read from many places at once, would otherwise
/// wait for address translation. Throws std::bad_alloc.
class HostBlock {
 public:
  explicit HostBlock(size_t bytes);
  ~HostBlock();
  HostBlock(HostBlock&& other) noexcept
      : bytes_(other.bytes_), alignment_(other.alignment_), data_(other.data_) {
    other.data_ = nullptr;
  }
  HostBlock& operator=(HostBlock&&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  size_t bytes_, alignment_;
  void* data_;
};

}  // namespace laban
