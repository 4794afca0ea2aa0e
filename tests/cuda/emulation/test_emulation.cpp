// The emulation itself: indices, shared memory, barriers, warp-wide functions. And its negative controls:
// what a kernel may do wrong must show, for a test that cannot fail says nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "cuda/kernels/device.h"

using namespace laban;
using namespace laban::cuda;

namespace {

constexpr int kBlock = 96;  // three warps

Launch grid_of(unsigned blocks, unsigned threads, unsigned dynamic_bytes = 0) {
  return {.kernel = "test",
          .shape = {},
          .grid = {blocks, 1, 1},
          .block = {threads, 1, 1},
          .dynamic_bytes = dynamic_bytes};
}
int thread() { return static_cast<int>(threadIdx.x); }

/// What the launch threw; empty where it did not.
template <class... Parameters, class... Arguments>
std::string error_of(const Launch& at, void (*kernel)(Parameters...), const Arguments&... arguments) {
  try {
    launch(at, kernel, arguments...);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}
bool says(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

/// How many of some launches gave anything but `expected`. The order of threads differs from one to the next.
template <class... Parameters, class... Arguments>
int wrong_launches(const std::vector<float>& expected, void (*kernel)(float*, Parameters...),
                   const Arguments&... arguments) {
  int wrong = 0;
  for (int i = 0; i < 8; ++i) {
    std::vector<float> out(expected.size(), std::nanf(""));
    launch(grid_of(1, kBlock), kernel, out.data(), arguments...);
    wrong += out != expected;
  }
  return wrong;
}

// ---- kernels of these tests -------------------------------------------------------------------------------

__global__ void count_threads(int* count) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned in_block = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  ++count[block * blockDim.x * blockDim.y * blockDim.z + in_block];
}

using Row = Array<float, kBlock>;

__global__ void reverse(float* out, bool with_barrier) {
  Row& row = block_shared<Row>();
  row[thread()] = static_cast<float>(thread());
  if (with_barrier) __syncthreads();
  out[thread()] = row[kBlock - 1 - thread()];
}

/// Each thread takes its neighbor's value, twice. `with_barrier`: and waits before it overwrites its own.
__global__ void rotate_twice(float* out, bool with_barrier) {
  Row& row = block_shared<Row>();
  row[thread()] = static_cast<float>(thread());
  __syncthreads();
  const float first = row[(thread() + 1) % kBlock];
  if (with_barrier) __syncthreads();
  row[thread()] = first;
  __syncthreads();
  out[thread()] = row[(thread() + 1) % kBlock];
}

/// The sum of a warp's lanes through shared memory, with only the warp waiting.
__global__ void neighbors_in_warp(float* out, bool with_barrier) {
  Row& row = block_shared<Row>();
  row[thread()] = static_cast<float>(thread());
  if (with_barrier) __syncwarp();
  out[thread()] = row[thread() ^ 1];
}

__global__ void barrier_for_some() {
  if (thread() < 40) __syncthreads();
}
__global__ void two_barriers() {
  if (thread() < 40)
    __syncthreads();
  else
    __syncthreads();
}
__global__ void shuffle_for_some(float* out) {
  if (thread() % kWarp < 16) out[thread()] = __shfl_xor_sync(kFullWarp, 1.0f, 1);
  __syncthreads();
}
__global__ void shuffle_from_outside(float* out) {
  if (thread() % kWarp < 16) out[thread()] = __shfl_sync(0xffffu, 1.0f, 20);
}
__global__ void mask_without_itself(float* out) { out[thread()] = __shfl_sync(1u, 1.0f, 0); }
__global__ void index_outside(float* out, int beyond) {
  Row& row = block_shared<Row>();
  row[thread()] = 0;
  if (thread() == 33) out[0] = row[kBlock - 1 + beyond];
}
__global__ void misaligned(const float* from, float* to) { store(to, load<4>(from)); }
__global__ void remember(float* out) {
  Row& row = block_shared<Row>();
  out[blockIdx.x * kBlock + threadIdx.x] = row[thread()];
  row[thread()] = 1;
}
__global__ void through_dynamic(float* out) {
  float* shared = dynamic_shared<float>();
  shared[thread()] = static_cast<float>(thread());
  __syncthreads();
  out[thread()] = shared[kBlock - 1 - thread()];
}
__global__ void overrun_dynamic(float* out) {
  float* shared = dynamic_shared<float>();
  shared[thread() + 1] = 1;  // one float beyond the end in the last thread
  __syncthreads();
  out[thread()] = shared[thread()];
}
__global__ void warp_functions(int* out) {
  const int lane = thread() % kWarp, warp = thread() / kWarp, value = 100 * warp + lane;
  int* mine = out + thread() * 6;
  mine[0] = __shfl_sync(kFullWarp, value, 5);
  mine[1] = __shfl_up_sync(kFullWarp, value, 3);
  mine[2] = __shfl_down_sync(kFullWarp, value, 3);
  mine[3] = __shfl_xor_sync(kFullWarp, value, 7);
  mine[4] = static_cast<int>(__ballot_sync(kFullWarp, lane % 3 == 0));
  // The two halves apart: lanes of one may be in the second function while those of the other are in the
  // first.
  const unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  __syncwarp(half);
  mine[5] = static_cast<int>(__ballot_sync(half, 1));
}
__global__ void block_order(int* order, int* next) {
  if (thread() == 0) order[(*next)++] = static_cast<int>(blockIdx.x);
}

}  // namespace

TEST_CASE("emulation: every thread of every block runs once, with its own indices") {
  std::vector<int> count(2 * 3 * 2 * 4 * 5 * 2);
  launch({.kernel = "test", .shape = {}, .grid = {2, 3, 2}, .block = {4, 5, 2}}, count_threads, count.data());
  CHECK(count == std::vector<int>(count.size(), 1));
}

TEST_CASE("emulation: a barrier makes what others wrote visible; a missing one shows") {
  std::vector<float> reversed(kBlock), rotated(kBlock), neighbors(kBlock);
  for (int i = 0; i < kBlock; ++i) {
    reversed[static_cast<size_t>(i)] = static_cast<float>(kBlock - 1 - i);
    rotated[static_cast<size_t>(i)] = static_cast<float>((i + 2) % kBlock);
    neighbors[static_cast<size_t>(i)] = static_cast<float>(i ^ 1);
  }
  CHECK(wrong_launches(reversed, reverse, true) == 0);
  CHECK(wrong_launches(rotated, rotate_twice, true) == 0);
  CHECK(wrong_launches(neighbors, neighbors_in_warp, true) == 0);
  CHECK(wrong_launches(reversed, reverse, false) == 8);      // read before it was written: poison
  CHECK(wrong_launches(rotated, rotate_twice, false) == 8);  // overwritten before it was read
  CHECK(wrong_launches(neighbors, neighbors_in_warp, false) == 8);
}

TEST_CASE("emulation: a barrier that some threads do not reach is an error, and names them") {
  const std::string some = error_of(grid_of(1, kBlock), barrier_for_some);
  CHECK(says(some, "emulated kernel test, block (0, 0, 0)"));
  CHECK(says(some, "40 threads wait at the __syncthreads of test_emulation.cpp:"));
  CHECK(says(some, "56 have ended without it"));
  const std::string two = error_of(grid_of(1, kBlock), two_barriers);
  CHECK(says(two, "waits at the __syncthreads of test_emulation.cpp:"));
  CHECK(says(two, "thread (40, 0, 0) at that of test_emulation.cpp:"));

  // Whatever was waiting has been cleared away.
  std::vector<float> out(kBlock);
  CHECK(error_of(grid_of(1, kBlock), reverse, out.data(), true).empty());
}

TEST_CASE("emulation: shuffles and ballots") {
  std::vector<int> out(kBlock * 6);
  launch(grid_of(1, kBlock), warp_functions, out.data());
  bool right = true;
  for (int t = 0; t < kBlock; ++t) {
    const int lane = t % kWarp, base = 100 * (t / kWarp);
    const int* mine = out.data() + t * 6;
    const int expected[] = {base + 5,
                            base + (lane >= 3 ? lane - 3 : lane),
                            base + (lane + 3 < kWarp ? lane + 3 : lane),
                            base + (lane ^ 7),
                            0x49249249,
                            lane < 16 ? 0x0000ffff : static_cast<int>(0xffff0000u)};
    right = right && std::equal(mine, mine + 6, expected);
  }
  CHECK(right);

  // A warp of 8 threads: the mask may name lanes that it does not have.
  std::vector<float> few(8);
  CHECK(error_of(grid_of(1, 8), shuffle_for_some, few.data()).empty());
  CHECK(few == std::vector<float>(8, 1.0f));
}

TEST_CASE("emulation: lanes that do not come, or do not take part, are errors") {
  std::vector<float> out(kBlock);
  const std::string some = error_of(grid_of(1, kBlock), shuffle_for_some, out.data());
  CHECK(says(some, "waits in __shfl_xor_sync at test_emulation.cpp:"));
  CHECK(says(some, "16 at test_emulation.cpp:"));
  CHECK(says(error_of(grid_of(1, kBlock), shuffle_from_outside, out.data()),
             "reads lane 20, which takes no part"));
  CHECK(says(error_of(grid_of(1, kBlock), mask_without_itself, out.data()), "does not name lane"));
}

TEST_CASE("emulation: indices and alignment are checked") {
  std::vector<float> out(kBlock + 4);
  CHECK(error_of(grid_of(2, kBlock), index_outside, out.data(), 0).empty());
  const std::string beyond = error_of(grid_of(2, kBlock), index_outside, out.data(), 1);
  CHECK(says(beyond, "thread (33, 0, 0): an index outside an array in shared memory"));

  alignas(16) std::array<float, 8> values{}, copy{};
  float *from = values.data(), *to = copy.data();
  CHECK(error_of(grid_of(1, 1), misaligned, from, to).empty());
  CHECK(says(error_of(grid_of(1, 1), misaligned, from + 1, to), "misaligned"));
  CHECK(says(error_of(grid_of(1, 1), misaligned, from, to + 2), "misaligned"));
}

TEST_CASE("emulation: shared memory is poison in every block") {
  std::vector<float> out(3 * kBlock);
  launch(grid_of(3, kBlock), remember, out.data());
  CHECK(std::all_of(out.begin(), out.end(), [](float value) { return std::isnan(value); }));

  launch(grid_of(1, kBlock, kBlock * sizeof(float)), through_dynamic, out.data());
  CHECK(out[0] == kBlock - 1);
}

TEST_CASE("emulation: orders are shuffled, and in a debugger ascending") {
  const auto order = [] {
    std::vector<int> blocks(20);
    int next = 0;
    launch(grid_of(20, 33), block_order, blocks.data(), &next);
    return blocks;
  };
  const std::vector<int> first = order(), second = order();
  CHECK(first != second);
  CHECK(std::accumulate(first.begin(), first.end(), 0) == 190);
  emulation::shuffled = false;
  const std::vector<int> ascending = order();
  emulation::shuffled = true;
  CHECK(std::is_sorted(ascending.begin(), ascending.end()));
}

// Run by the next test in a process of its own, which AddressSanitizer ends.
TEST_CASE("emulation: a kernel that writes beyond its shared memory" * doctest::skip()) {
  std::vector<float> out(kBlock);
  launch(grid_of(1, kBlock, kBlock * sizeof(float)), overrun_dynamic, out.data());
}

#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("emulation: AddressSanitizer sees a write beyond shared memory") {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command =
      "'" + program +
      "' --no-skip --test-case='emulation: a kernel that writes beyond its shared memory' 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe);
  std::string output;
  for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) output += static_cast<char>(c);
  CHECK(says(output, "AddressSanitizer: heap-buffer-overflow"));
  CHECK(says(output, "overrun_dynamic"));
}
#endif
