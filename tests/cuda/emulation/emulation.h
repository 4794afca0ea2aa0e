// The part of CUDA that laban's kernels use, for a host compiler: what cuda/kernels/device.h includes where
// the compiler is not nvcc. Only tests are built with it.
//
// threadIdx and the others are ordinary variables here, and a kernel is an ordinary function: a debugger
// stops in it on `break file:line if threadIdx.x == 7 && blockIdx.x == 2`. See docs/emulation.md.
#pragma once

#include <cstring>
#include <type_traits>

#include "emulation/grid.h"

#define __global__
#define __device__
#define __launch_bounds__(...)

using dim3 = laban::emulation::Extent;

inline dim3 gridDim, blockDim;
inline dim3 blockIdx{0, 0, 0}, threadIdx{0, 0, 0};

inline void __syncthreads(std::source_location place = std::source_location::current()) {
  laban::emulation::wait_for_block(place);
}

/// Orders the accesses to memory of the lanes in `mask`.
inline void __syncwarp(unsigned mask = ~0u, std::source_location place = std::source_location::current()) {
  laban::emulation::meet_warp("__syncwarp", mask, {}, place);
}

/// The lanes of `mask` for which `predicate` is not 0.
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              std::source_location place = std::source_location::current()) {
  return laban::emulation::meet_warp("__ballot_sync", mask, {predicate != 0, -1}, place).ballot;
}

namespace laban::emulation {

template <class T>
T shuffle(std::string_view function, unsigned mask, T value, int source, Place place) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  Offer offer{0, source};
  std::memcpy(&offer.value, &value, sizeof value);
  const Answer answer = meet_warp(function, mask, offer, place);
  std::memcpy(&value, &answer.value, sizeof value);
  return value;
}

}  // namespace laban::emulation

/// `value` of lane `source`. These have no width argument: no kernel here divides its warps.
template <class T>
T __shfl_sync(unsigned mask, T value, int source,
              std::source_location place = std::source_location::current()) {
  return laban::emulation::shuffle("__shfl_sync", mask, value, source & 31, place);
}
/// That of the lane `delta` above; the own one where there is none.
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta,
                   std::source_location place = std::source_location::current()) {
  const int lane = laban::emulation::lane(), from = lane + static_cast<int>(delta);
  return laban::emulation::shuffle("__shfl_down_sync", mask, value, from < 32 ? from : lane, place);
}
/// That of the lane `delta` below; the own one where there is none.
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta,
                 std::source_location place = std::source_location::current()) {
  const int lane = laban::emulation::lane(), from = lane - static_cast<int>(delta);
  return laban::emulation::shuffle("__shfl_up_sync", mask, value, from >= 0 ? from : lane, place);
}
/// That of the lane whose number differs in the bits of `bits`.
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits,
                  std::source_location place = std::source_location::current()) {
  return laban::emulation::shuffle("__shfl_xor_sync", mask, value, laban::emulation::lane() ^ (bits & 31),
                                   place);
}
