// What every kernel source includes, and the only place that knows who compiles it: nvcc, or a host compiler
// for the emulation of the tests (docs/emulation.md). Kernels themselves are the same text for both.
//
//   launch(...)            starts a kernel: in place of <<<>>>, which only nvcc understands
//   block_shared<Layout>() the block's shared memory: in place of __shared__ variables
//   Array<T, n>            an array in it; the emulation checks its indices
//   load<n>, store         n elements in one access of up to 16 bytes, widened to float and narrowed again
//   device_require         a contract that the emulation checks and nvcc does not see
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "cuda/kernels/kernels.h"
#include "cuda/scratch.h"
#include "math/hd.h"

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#else
#include "emulation/emulation.h"
#endif

namespace laban::cuda {

constexpr int kWarp = 32;
constexpr unsigned kFullWarp = ~0u;
constexpr int kThreads = 256;  // of every block, unless a kernel says otherwise

// ---- contracts -----------------------------------------------------------------------------------------

/// Throws in the emulation, where `condition` does not hold. Costs nothing on the device.
__device__ inline void device_require([[maybe_unused]] bool condition, [[maybe_unused]] const char* what) {
#if !defined(__CUDACC__)
  if (!condition) throw Error(what);
#endif
}

// ---- launching -----------------------------------------------------------------------------------------

/// Where a kernel runs, and what a message about it would say.
struct Launch {
  std::string_view kernel;  // a name for people
  Shape shape;              // what it works on
  dim3 grid, block;
  Stream stream = nullptr;
  unsigned dynamic_bytes = 0;  // of shared memory
};

#if defined(__CUDACC__)

inline void check_launch(const Launch& at, cudaError_t status) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the runtime keeps it, too
  const auto extent = [](const dim3& e) { return text(e.x, 'x', e.y, 'x', e.z); };
  throw Error(text("the CUDA kernel '", at.kernel, "' over ", at.shape, " could not be started (grid ",
                   extent(at.grid), ", block ", extent(at.block), "): ", cudaGetErrorName(status), ", ",
                   cudaGetErrorString(status)),
              "Where this follows another CUDA error, that one is the cause.");
}

template <class... Parameters, class... Arguments>
void launch(const Launch& at, void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (at.grid.x == 0 || at.grid.y == 0) return;  // nothing to do
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  // Not <<<>>>, whose failure cudaGetLastError() tells together with whatever failed before: here the kernel
  // answers for itself.
  std::apply(
      [&](Parameters&... value) {
        void* addresses[] = {&value..., nullptr};
        check_launch(at, cudaLaunchKernel(reinterpret_cast<const void*>(kernel), at.grid, at.block, addresses,
                                          at.dynamic_bytes, at.stream));
      },
      values);
}

#else

template <class... Parameters, class... Arguments>
void launch(const Launch& at, void (*kernel)(Parameters...), const Arguments&... arguments) {
  if (at.grid.x == 0 || at.grid.y == 0) return;
  const std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  emulation::look_at(values);
  emulation::put_on(at.stream, [at, kernel, values] {
    emulation::run_grid(at.kernel, at.grid, at.block, at.dynamic_bytes, [&] { std::apply(kernel, values); });
  });
}

#endif

/// All bytes of a piece of memory become 0.
inline void zero(void* memory, size_t bytes, Stream stream) {
#if defined(__CUDACC__)
  const cudaError_t status = cudaMemsetAsync(memory, 0, bytes, stream);
  if (status != cudaSuccess)
    throw Error(text("cudaMemsetAsync of ", bytes, " bytes failed: ", cudaGetErrorName(status), ", ",
                     cudaGetErrorString(status)),
                "Where this follows another CUDA error, that one is the cause.");
#else
  emulation::put_on(stream, [=] { std::memset(memory, 0, bytes); });
#endif
}

/// A copy within the device's memory.
inline void copy(void* to, const void* from, size_t bytes, Stream stream) {
#if defined(__CUDACC__)
  const cudaError_t status = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream);
  if (status != cudaSuccess)
    throw Error(text("cudaMemcpyAsync of ", bytes, " bytes failed: ", cudaGetErrorName(status), ", ",
                     cudaGetErrorString(status)),
                "Where this follows another CUDA error, that one is the cause.");
#else
  emulation::put_on(stream, [=] { std::memmove(to, from, bytes); });
#endif
}

// ---- shared memory -------------------------------------------------------------------------------------

/// A fixed array.
template <class T, int n>
struct Array {
  T items[n];

  __device__ T& operator[](int i) {
    device_require(i >= 0 && i < n, "an index outside an array in shared memory");
    return items[i];
  }
};

/// The block's shared memory, laid out as Layout: a struct of Arrays, one Layout a kernel.
template <class Layout>
__device__ Layout& block_shared() {
#if defined(__CUDACC__)
  __shared__ Layout layout;
  return layout;
#else
  static const char key = 0;
  return *static_cast<Layout*>(emulation::shared_memory(&key, sizeof(Layout)));
#endif
}

/// The block's dynamic shared memory, Launch::dynamic_bytes of it.
template <class T>
__device__ T* dynamic_shared() {
#if defined(__CUDACC__)
  extern __shared__ uint4 words[];
  return reinterpret_cast<T*>(words);
#else
  return static_cast<T*>(emulation::dynamic_shared_memory());
#endif
}

// ---- elements ------------------------------------------------------------------------------------------

__device__ inline float widen(float stored) { return stored; }
__device__ inline float widen(BFloat16 stored) {
#if defined(__CUDACC__)
  return __uint_as_float(static_cast<uint32_t>(stored.bits) << 16);
#else
  return static_cast<float>(stored);
#endif
}

/// To nearest, ties to even.
template <class T>
__device__ T narrow(float value) {
  if constexpr (std::is_same_v<T, BFloat16>) {
#if defined(__CUDACC__)
    BFloat16 result;
    result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
    return result;
#else
    return BFloat16(value);
#endif
  } else {
    return value;
  }
}

/// n floats in registers.
template <int n>
struct Floats {
  float items[n];

  __device__ float& operator[](int i) { return items[i]; }
  __device__ float operator[](int i) const { return items[i]; }
};

/// n stored elements, moved in accesses of up to 16 bytes.
template <class T, int n>
struct alignas(sizeof(T) * n < 16 ? sizeof(T) * n : 16) Pack {
  static constexpr int kBytes = static_cast<int>(sizeof(T)) * n;
  T items[n];
};

template <class P, class T>
__device__ P load_pack(const T* from) {
#if defined(__CUDACC__)
  return *reinterpret_cast<const P*>(from);
#else
  device_require(reinterpret_cast<uintptr_t>(from) % alignof(P) == 0, "a misaligned access to memory");
  P pack;
  std::memcpy(static_cast<void*>(&pack), from, sizeof pack);
  return pack;
#endif
}
template <class T, class P>
__device__ void store_pack(T* to, const P& pack) {
#if defined(__CUDACC__)
  *reinterpret_cast<P*>(to) = pack;
#else
  device_require(reinterpret_cast<uintptr_t>(to) % alignof(P) == 0, "a misaligned access to memory");
  std::memcpy(static_cast<void*>(to), &pack, sizeof pack);
#endif
}

/// `from` must be a multiple of the pack's size, or of 16 where it is larger.
template <int n, class T>
__device__ Floats<n> load(const T* from) {
  Floats<n> result;
  if constexpr (std::is_same_v<T, BFloat16> && n % 2 == 0) {
    // Two to a word: the lower half holds the first. Each becomes a float by one shift or mask.
    const auto words = load_pack<Pack<uint32_t, n / 2>>(from);
    for (int i = 0; i < n / 2; ++i) {
      BFloat16 low, high;
      low.bits = static_cast<uint16_t>(words.items[i]);
      high.bits = static_cast<uint16_t>(words.items[i] >> 16);
      result[2 * i] = widen(low);
      result[2 * i + 1] = widen(high);
    }
  } else {
    const auto pack = load_pack<Pack<T, n>>(from);
    for (int i = 0; i < n; ++i) result[i] = widen(pack.items[i]);
  }
  return result;
}

template <int n, class T>
__device__ void store(T* to, const Floats<n>& values) {
  if constexpr (std::is_same_v<T, BFloat16> && n % 2 == 0) {
    Pack<uint32_t, n / 2> words;
    for (int i = 0; i < n / 2; ++i) {
#if defined(__CUDACC__)
      const __nv_bfloat162 two = __floats2bfloat162_rn(values[2 * i], values[2 * i + 1]);  // one instruction
      words.items[i] = *reinterpret_cast<const uint32_t*>(&two);
#else
      words.items[i] = BFloat16(values[2 * i]).bits | uint32_t{BFloat16(values[2 * i + 1]).bits} << 16;
#endif
    }
    store_pack(to, words);
  } else {
    Pack<T, n> pack;
    for (int i = 0; i < n; ++i) pack.items[i] = narrow<T>(values[i]);
    store_pack(to, pack);
  }
}

// ---- for the host functions ----------------------------------------------------------------------------

/// Calls body.operator()<T>() with T = float or BFloat16, as `dtype` says.
template <class Body>
void with_type(DType dtype, Body&& body) {
  if (dtype == DType::f32) return body.template operator()<float>();
  require(dtype == DType::bf16, "CUDA kernels: an activation must be f32 or bf16");
  body.template operator()<BFloat16>();
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline unsigned narrow_extent(int64_t extent) {
  require(extent >= 0 && extent <= INT32_MAX, "CUDA kernels: a grid too large");
  return static_cast<unsigned>(extent);
}

/// Whether all of these may be moved 16 bytes at a time, as far as addresses go.
template <class... Tensors>
bool aligned(const Tensors&... tensors) {
  return ((reinterpret_cast<uintptr_t>(tensors.data) % 16 == 0) && ...);
}

/// Elements in 16 bytes.
template <class T>
constexpr int kPack = 16 / static_cast<int>(sizeof(T));

}  // namespace laban::cuda
