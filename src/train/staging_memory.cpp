#include "train/staging_memory.h"

#include <algorithm>

#include "core/backend.h"
#include "core/error.h"

namespace laban {
namespace {

constexpr size_t kGrain = size_t{64} << 10;  // bytes; so that clips of nearly one size can take each other's
constexpr size_t kMostSlack = 4;             // a piece may be so many times larger than what is asked for

}  // namespace

void StagingMemory::serve(LoaderSettings& settings) {
  const bool device = backend_.device() != Device::cpu;
  settings.placed = device;
  settings.staging = device ? this : nullptr;
}

void* StagingMemory::do_allocate(size_t bytes, size_t alignment) {
  require(alignment <= 64, "StagingMemory: a backend aligns to 64 bytes");
  bytes = std::max<size_t>(1, (bytes + kGrain - 1) / kGrain) * kGrain;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = resting_.lower_bound(bytes);
        at != resting_.end() && at->first <= kMostSlack * bytes) {
      std::unique_ptr<Memory> memory = std::move(at->second);
      resting_.erase(at);
      void* const data = memory->data();
      pieces_[data] = std::move(memory);
      return data;
    }
  }
  // Not under the lock: page-locking takes long, and other workers may find what they need.
  auto memory = backend_.allocate_staging(bytes);
  void* const data = memory->data();
  const std::lock_guard lock(mutex_);
  pieces_[data] = std::move(memory);
  return data;
}

void StagingMemory::do_deallocate(void* data, size_t /*bytes*/, size_t /*alignment*/) {
  const std::lock_guard lock(mutex_);
  const auto at = pieces_.find(data);
  std::unique_ptr<Memory> memory = std::move(at->second);
  pieces_.erase(at);
  const size_t size = memory->bytes();
  resting_.emplace(size, std::move(memory));
}

}  // namespace laban
