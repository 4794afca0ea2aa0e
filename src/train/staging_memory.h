// Memory of a backend's for the batches that a loader makes: what workers decode into it travels from there,
// without another copy on the host.
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>

#include "core/backend.h"
#include "data/load/loader.h"

namespace laban {

/// Backend::allocate_staging() for containers, from any thread. Must outlive what is allocated from it, and
/// `backend` must outlive it.
class StagingMemory : public std::pmr::memory_resource {
 public:
  explicit StagingMemory(Backend& backend) : backend_(backend) {}

  /// Makes a loader's batches what this backend takes fastest: decoded frames, in its own memory, where it is
  /// a device of its own; pixels on the heap otherwise.
  void serve(LoaderSettings& settings) {
    const bool device = backend_.device() != Device::cpu;
    settings.placed = device;
    settings.staging = device ? this : nullptr;
  }

 private:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* data, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  Backend& backend_;
  std::mutex mutex_;
  std::map<void*, std::unique_ptr<Memory>> pieces_;
};

}  // namespace laban
