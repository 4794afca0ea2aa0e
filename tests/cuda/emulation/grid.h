// Runs a grid of thread blocks on one processor, each CUDA thread a fiber.
//
// Blocks run one after another. Inside a block a warp runs as far as it gets before the next one starts, and
// a thread as far as it gets before the next of its warp: until it ends, waits at __syncthreads, or waits for
// the other lanes in a warp-wide function. The order of blocks, of warps, and of lanes is shuffled anew for
// each launch. Where a barrier is missing, one of two threads then sees what the other has not written yet
// (poison), or what it has written too early; and two runs of one op seldom agree.
//
// Errors (laban::Error) name the kernel, the block, the threads, and the lines where they wait:
//   - some threads of a block wait at a barrier that the others will not reach, or at another one;
//   - a warp-wide function names lanes that will not come, or reads a lane that it does not name;
//   - whatever the kernel threw (see device_require in cuda/kernels/device.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <source_location>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace laban::emulation {

using Place = std::source_location;

/// The extents of a grid or block, or an index in it.
struct Extent {
  unsigned x = 1, y = 1, z = 1;

  constexpr unsigned count() const { return x * y * z; }
  friend constexpr bool operator==(const Extent&, const Extent&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Extent& e) {
    return out << '(' << e.x << ", " << e.y << ", " << e.z << ')';
  }
};

/// False: blocks, warps and lanes run in ascending order, for whoever walks through a kernel in a debugger.
inline bool shuffled = true;

/// What becomes of work that a host function puts on a stream: it is done at once, unless somebody keeps
/// streams (tests/cuda/standin).
struct Streams {
  virtual ~Streams() = default;
  virtual void put(void* stream, std::function<void()> work) = 0;
  /// What a kernel is given, argument by argument, as it lies in memory.
  virtual void look_at(std::span<const std::byte> argument) = 0;
};
inline Streams* streams = nullptr;

template <class Work>
void put_on(void* stream, Work&& work) {
  if (streams)
    streams->put(stream, std::forward<Work>(work));
  else
    work();
}
template <class... Parameters>
void look_at(const std::tuple<Parameters...>& arguments) {
  if (!streams) return;
  const auto look = [](auto argument) {
    __builtin_clear_padding(&argument);  // whatever lies there is not an argument
    streams->look_at(std::as_bytes(std::span(&argument, 1)));
  };
  std::apply([&](const Parameters&... argument) { (look(argument), ...); }, arguments);
}

/// Runs `thread` once for each thread of each block. `dynamic_bytes` of dynamic shared memory for a block.
void run_grid(std::string_view kernel, Extent grid, Extent block, size_t dynamic_bytes,
              const std::function<void()>& thread);

// ---- for the functions of emulation.h, called from inside a kernel --------------------------------------

/// Waits until all threads of the block do, here.
void wait_for_block(Place place);

/// What a lane brings to a warp-wide function, and what it gets.
struct Offer {
  uint64_t value = 0;
  int source = -1;  // lane whose value is wanted; -1: none
};
struct Answer {
  uint64_t value = 0;   // the source lane's
  unsigned ballot = 0;  // the lanes of the mask that offered something other than 0
};
/// Waits until all lanes in `mask` are in the same function, with the same mask.
Answer meet_warp(std::string_view function, unsigned mask, Offer offer, Place place);

/// This thread's lane, 0..31.
int lane();

/// The block's shared memory: one piece for each `key`, full of 0xFF bytes when the block begins.
void* shared_memory(const void* key, size_t bytes);
/// The block's dynamic shared memory.
void* dynamic_shared_memory();

}  // namespace laban::emulation
