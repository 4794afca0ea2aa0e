// A backend's memory for the loader's batches: what workers decode into it is uploaded from there, without
// another copy on the host.
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>

#include "core/memory.h"
#include "data/load/loader.h"

namespace laban {

class Backend;

/// Backend::allocate_staging() for containers; thread-safe. What is given back is kept for the next that asks, as
/// page-locking memory takes milliseconds and giving it back waits for the device. Must outlive what is allocated from it, and
/// `backend` must outlive it.
class StagingMemory : public std::pmr::memory_resource {
 public:
  explicit StagingMemory(Backend& backend) : backend_(backend) {}

  /// Makes a loader deliver batches in the form that this backend processes fastest: decoded frames in its
  /// own memory if it is a separate device; otherwise pixels on the heap.
  void serve(LoaderSettings& settings);

 private:
  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* data, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  Backend& backend_;
  std::mutex mutex_;
  std::map<void*, std::unique_ptr<Memory>> pieces_;         // in use, by address
  std::multimap<size_t, std::unique_ptr<Memory>> resting_;  // by size
};

}  // namespace laban
