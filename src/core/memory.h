// Memory of a backend, as those hold it who run no ops themselves.
#pragma once

#include <cstddef>

namespace laban {

/// Where an op may put intermediate results for the duration of one run().
struct Scratch {
  void* data = nullptr;
  size_t bytes = 0;
};

/// Memory owned by a backend's device. 64-byte aligned, at least.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual void* data() = 0;
  virtual size_t bytes() const = 0;
};

}  // namespace laban
