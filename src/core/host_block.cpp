#include "core/host_block.h"

#include <sys/mman.h>

#include <new>

namespace laban {
namespace {

constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;

}  // namespace

HostBlock::HostBlock(size_t bytes)
    : bytes_(bytes),
      alignment_(bytes >= 2 * kHugePage ? kHugePage : kCacheLine),
      data_(::operator new (bytes, std::align_val_t{alignment_})) {
#if defined(MADV_HUGEPAGE)
  // Whole huge pages only. A system without them says no, and all works as well.
  if (alignment_ == kHugePage) ::madvise(data_, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
}

HostBlock::~HostBlock() {
  if (data_) ::operator delete (data_, std::align_val_t{alignment_});
}

}  // namespace laban
