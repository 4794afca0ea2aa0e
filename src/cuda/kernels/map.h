// Elementwise kernels over flat memory: to[i] = f(a[i]) or f(a[i], b[i]). `to` may be an input.
//
// A thread loads four packs of up to 16 bytes from each input before it computes, so that enough bytes are on
// their way; the packs of a warp lie side by side. Elements that do not fill a thread's packs go one by one.
#pragma once

#include <algorithm>

#include "cuda/kernels/device.h"

namespace laban::cuda {

constexpr int kPacksOfThread = 4;

/// Where this thread's packs begin: element first, first + kThreads*n, ...
template <int n>
__device__ int64_t first_of_thread() {
  return (int64_t{blockIdx.x} * kPacksOfThread * kThreads + threadIdx.x) * n;
}

template <int n, class F, class To, class A>
__global__ void __launch_bounds__(kThreads) map_one(int64_t count, F f, To* to, const A* a) {
  constexpr int64_t step = kThreads * n, last = (kPacksOfThread - 1) * step;
  const int64_t first = first_of_thread<n>();
  if (first + last + n <= count) {
    Floats<n> values[kPacksOfThread];
    for (int k = 0; k < kPacksOfThread; ++k) values[k] = load<n>(a + first + k * step);
    for (int k = 0; k < kPacksOfThread; ++k) {
      for (int v = 0; v < n; ++v) values[k][v] = f(values[k][v]);
      store(to + first + k * step, values[k]);
    }
  } else {
    for (int64_t begin = first; begin < count && begin <= first + last; begin += step)
      for (int64_t i = begin; i < begin + n && i < count; ++i) to[i] = narrow<To>(f(widen(a[i])));
  }
}

template <int n, class F, class To, class A, class B>
__global__ void __launch_bounds__(kThreads) map_two(int64_t count, F f, To* to, const A* a, const B* b) {
  constexpr int64_t step = kThreads * n, last = (kPacksOfThread - 1) * step;
  const int64_t first = first_of_thread<n>();
  if (first + last + n <= count) {
    Floats<n> left[kPacksOfThread], right[kPacksOfThread];
    for (int k = 0; k < kPacksOfThread; ++k) {
      left[k] = load<n>(a + first + k * step);
      right[k] = load<n>(b + first + k * step);
    }
    for (int k = 0; k < kPacksOfThread; ++k) {
      for (int v = 0; v < n; ++v) left[k][v] = f(left[k][v], right[k][v]);
      store(to + first + k * step, left[k]);
    }
  } else {
    for (int64_t begin = first; begin < count && begin <= first + last; begin += step)
      for (int64_t i = begin; i < begin + n && i < count; ++i)
        to[i] = narrow<To>(f(widen(a[i]), widen(b[i])));
  }
}

/// The launch of a map over `count` elements in packs of n.
inline Launch map_launch(std::string_view kernel, const Tensor& to, int n, Stream stream) {
  const unsigned blocks = narrow_extent(ceil_div(to.count(), int64_t{kPacksOfThread} * kThreads * n));
  return {.kernel = kernel,
          .shape = to.shape,
          .grid = {blocks, 1, 1},
          .block = {kThreads, 1, 1},
          .stream = stream};
}

/// Elements of a pack such that the widest type fills 16 bytes.
template <class... Types>
constexpr int kPackOf = 16 / static_cast<int>(std::max({sizeof(Types)...}));

/// to = f(a). Host function.
template <class To, class A, class F>
void map(std::string_view kernel, F f, const Tensor& to, const Tensor& a, Stream stream) {
  const auto go = [&]<int n>() {
    launch(map_launch(kernel, to, n, stream), map_one<n, F, To, A>, to.count(), f, to.as<To>(), a.as<A>());
  };
  aligned(to, a) ? go.template operator()<kPackOf<To, A>>() : go.template operator()<1>();
}

/// to = f(a, b). Host function.
template <class To, class A, class B, class F>
void map(std::string_view kernel, F f, const Tensor& to, const Tensor& a, const Tensor& b, Stream stream) {
  const auto go = [&]<int n>() {
    launch(map_launch(kernel, to, n, stream), map_two<n, F, To, A, B>, to.count(), f, to.as<To>(), a.as<A>(),
           b.as<B>());
  };
  aligned(to, a, b) ? go.template operator()<kPackOf<To, A, B>>() : go.template operator()<1>();
}

}  // namespace laban::cuda
