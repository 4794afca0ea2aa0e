// Cutting an op's scratch into the pieces that it needs: library workspaces, temporary tensors, sums.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "core/error.h"
#include "core/memory.h"
#include "core/tensor.h"

namespace laban {

/// The size of `count` elements.
template <class T>
constexpr size_t bytes_of(int64_t count) {
  return static_cast<size_t>(count) * sizeof(T);
}

/// What a place in an arena, and so any scratch, is aligned to.
constexpr size_t kScratchAlignment = 64;

/// Pieces begin at multiples of `alignment` bytes, and no two lie on one line of that many bytes.
template <size_t alignment>
class AlignedCutter {
 public:
  explicit AlignedCutter(Scratch scratch) : scratch_(scratch) {}

  /// Bytes of scratch for pieces of these sizes; none where all are empty.
  static constexpr size_t bytes_for(std::initializer_list<size_t> pieces) {
    size_t sum = 0;
    for (const size_t piece : pieces) sum += rounded(piece);
    return sum == 0 ? 0 : sum + kLead;
  }

  /// The next piece; null where it is empty.
  void* take(size_t bytes) {
    if (bytes == 0) return nullptr;
    size_t lead = 0;
    if constexpr (kLead > 0) {
      const auto begin = reinterpret_cast<uintptr_t>(scratch_.data);
      lead = rounded(begin) - begin;
    }
    require(lead + taken_ + rounded(bytes) <= scratch_.bytes, "AlignedCutter: the scratch is too small");
    void* piece = static_cast<std::byte*>(scratch_.data) + lead + taken_;
    taken_ += rounded(bytes);
    return piece;
  }
  /// The next piece, as `count` elements.
  template <class T>
  T* take_array(int64_t count) {
    return static_cast<T*>(take(bytes_of<T>(count)));
  }

 private:
  static constexpr size_t rounded(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

  // Bytes that may be lost before the first piece: none where scratch, a place in an arena, is aligned anyway.
  static constexpr size_t kLead = alignment <= kScratchAlignment ? 0 : alignment;

  Scratch scratch_;
  size_t taken_ = 0;
};

}  // namespace laban
