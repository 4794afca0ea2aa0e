#include "cpu/kernels.h"

#include <stdexcept>

namespace laban::cpu {

// Each of kernels/table.cpp's.
#define LABAN_KERNELS(isa)       \
  namespace isa {                \
  extern const Kernels kKernels; \
  }
LABAN_ALL_KERNELS
#undef LABAN_KERNELS

const Kernels& kernels_for(Isa isa) {
#define LABAN_KERNELS(name) \
  if (isa == Isa::name) return name::kKernels;
  LABAN_ALL_KERNELS
#undef LABAN_KERNELS
  throw std::logic_error("kernels_for: this build has none for " + std::string(name_of(isa)));
}

}  // namespace laban::cpu
