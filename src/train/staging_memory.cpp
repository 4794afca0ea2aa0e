#include "train/staging_memory.h"

#include "core/backend.h"
#include "core/error.h"

namespace laban {

void StagingMemory::serve(LoaderSettings& settings) {
  const bool device = backend_.device() != Device::cpu;
  settings.placed = device;
  settings.staging = device ? this : nullptr;
}

void* StagingMemory::do_allocate(size_t bytes, size_t alignment) {
  require(alignment <= 64, "StagingMemory: a backend aligns to 64 bytes");
  const std::lock_guard lock(mutex_);
  auto memory = backend_.allocate_staging(bytes);
  void* const data = memory->data();
  pieces_[data] = std::move(memory);
  return data;
}

void StagingMemory::do_deallocate(void* data, size_t /*bytes*/, size_t /*alignment*/) {
  const std::lock_guard lock(mutex_);
  pieces_.erase(data);
}

}  // namespace laban
