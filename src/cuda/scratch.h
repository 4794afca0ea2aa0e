// Cutting an op's scratch into the pieces that it needs: library workspaces, temporary tensors.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "core/backend.h"

namespace laban::cuda {

/// The size of `count` elements, for bytes_for().
template <class T>
constexpr size_t bytes_of(int64_t count) {
  return static_cast<size_t>(count) * sizeof(T);
}

/// Pieces begin at multiples of 256 bytes, wherever the scratch itself begins: what cuDNN and cuBLAS like.
class ScratchCutter {
 public:
  explicit ScratchCutter(Scratch scratch) : scratch_(scratch) {}

  /// Bytes of scratch for pieces of these sizes; none where all are empty.
  static size_t bytes_for(std::initializer_list<size_t> pieces) {
    size_t sum = 0;
    for (const size_t piece : pieces) sum += rounded(piece);
    return sum == 0 ? 0 : sum + kAlignment;
  }

  /// The next piece; null where it is empty.
  void* take(size_t bytes) {
    if (bytes == 0) return nullptr;
    const auto begin = reinterpret_cast<uintptr_t>(scratch_.data);
    const size_t lead = rounded(begin) - begin;
    require(lead + taken_ + rounded(bytes) <= scratch_.bytes, "ScratchCutter: the scratch is too small");
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
  static constexpr size_t kAlignment = 256;
  static constexpr size_t rounded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  Scratch scratch_;
  size_t taken_ = 0;
};

}  // namespace laban::cuda
