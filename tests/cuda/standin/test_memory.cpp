// The stand-in's memory: what a GPU would refuse, corrupt or crash on must show here, and what it allows
// must pass.
#include <cuda_runtime.h>
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <functional>

#include "core/error.h"
#include "core/machine_error.h"
#include "cuda/check.h"
#include "standin/fixture.h"
#include "support/gpu.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;
using doctest::Contains;
using standin::Gpu;
using standin::Schedule;

namespace {

/// The signal that ends a process in which `body` runs; 0 where none does.
int signal_of(const std::function<void()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // doctest would tell of a test that has crashed
    body();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void read(const void* data) {
  [[maybe_unused]] const float value = *static_cast<const volatile float*>(data);
}
void write(void* data) { *static_cast<volatile float*>(data) = 1; }

/// The sentence of what `body` throws; empty where it throws nothing.
std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.sentence();
  }
  return "";
}

/// Memory of the GPU, of which a test may claim more than there is.
Tensor floats(const std::unique_ptr<Memory>& memory, Shape shape, DType dtype = DType::f32) {
  return {memory->data(), dtype, shape, Device::cuda};
}

}  // namespace

TEST_CASE("stood in: the host cannot touch memory of the GPU") {
  const StreamOwner stream;
  const Numbers ones = page_locked(1), place = on_card();
  const auto managed = allocate_managed(4);
  CHECK(signal_of([&] { read(place.data()); }) == SIGSEGV);
  CHECK(signal_of([&] { write(place.data()); }) == SIGSEGV);
  CHECK(signal_of([&] { read(ones.data()); }) == 0);
  CHECK(signal_of([&] { write(managed->data()); }) == 0);
  // Nor when work has been done there.
  copy_to_device(place.data(), ones.data(), place.bytes(), stream.get());
  CHECK(signal_of([&] { read(place.data()); }) == SIGSEGV);
  CHECK(contents(place, stream.get()) == all(1));
}

TEST_CASE("stood in: what nobody has written is NaN, also where somebody had who is gone") {
  const StreamOwner stream;
  for (int i = 0; i < 3; ++i) {
    const Numbers place = on_card();
    const std::vector<float> before = contents(place, stream.get());
    CHECK(std::all_of(before.begin(), before.end(), [](float value) { return std::isnan(value); }));
    copy_to_device(place.data(), page_locked(1).data(), place.bytes(), stream.get());
    CHECK(contents(place, stream.get()) == all(1));
  }
}

TEST_CASE("stood in: a kernel cannot be given memory of the host") {
  const StreamOwner stream;
  const Numbers place = on_card(), locked = page_locked(1);
  std::vector<float> values = all(1);
  const Tensor on_host(values.data(), DType::f32, place.tensor().shape, Device::cuda);
  const auto add = [&](const Tensor& from) {
    run(SetZero{place.tensor()}, stream.get());
    run(Accumulate{.from = from, .into = place.tensor()}, stream.get());
  };
  CHECK_THROWS_WITH_AS(add(on_host), Contains("a kernel was given an address of the host's memory"), Error);
  // Inside of a struct, as the segments of an optimizer step are, it is found as well.
  const auto two_values = allocate_device(8);
  CHECK_THROWS_WITH_AS(
      run(BatchNormInfer{.x = place.tensor().reshaped({kNumbers / 2, 2, 1, 1, 1}),
                         .residual = {},
                         .y = place.tensor().reshaped({kNumbers / 2, 2, 1, 1, 1}),
                         .gamma = floats(two_values, Shape::vector(2)),
                         .beta = Tensor(values.data(), DType::f32, Shape::vector(2), Device::cuda),
                         .running_mean = floats(two_values, Shape::vector(2)),
                         .running_var = floats(two_values, Shape::vector(2))},
          stream.get()),
      Contains("a kernel was given an address of the host's memory"), Error);
  add(locked.tensor());  // the GPU reads page-locked memory by itself
  CHECK(contents(place, stream.get()) == all(1));
}

TEST_CASE("stood in: a kernel cannot be given memory that has been freed") {
  const StreamOwner stream;
  const Numbers place = on_card();
  Tensor gone;
  {
    const Numbers other = on_card();
    gone = other.tensor();
  }
  CHECK_THROWS_WITH_AS(run(Accumulate{.from = gone, .into = place.tensor()}, stream.get()),
                       Contains("memory of the GPU that nobody has allocated"), Error);
}

TEST_CASE("stood in: a copy stays in one allocation") {
  const StreamOwner stream;
  const Numbers place = on_card(), locked = page_locked(1);
  std::vector<float> values(2 * kNumbers);
  const auto whole = static_cast<size_t>(kNumbers) * 4;
  const auto copies = [&](void* to, const void* from, size_t bytes) {
    return error_of([&] { begin_copy_to_device(to, from, bytes, stream.get()); });
  };
  CHECK(copies(place.data(), locked.data(), whole) == "");
  CHECK(copies(place.data(), values.data(), whole) == "");
  const std::string beyond = copies(place.data(), values.data(), whole + 4);
  CHECK(beyond.find("cudaMemcpyAsync, to: 4004 bytes at ") == 0);
  CHECK(beyond.find("whose allocation has 4000 left") != std::string::npos);
  CHECK(copies(values.data(), place.data(), whole + 4).find("cudaMemcpyAsync, from: 4004") == 0);
  CHECK(copies(static_cast<std::byte*>(place.data()) + 8, locked.data(), whole).find("has 3992 left") !=
        std::string::npos);
  CHECK(copies(place.data(), static_cast<std::byte*>(locked.data()) + 4, whole).find("from: 4000") !=
        std::string::npos);
  CHECK(copies(static_cast<std::byte*>(place.data()) + whole, values.data(), 4)
            .find("is no memory of the GPU") != std::string::npos);
  const auto after = [&](size_t bytes) {
    return error_of([&] {
      if (cudaMemsetAsync(place.data(), 0, bytes, stream.get()) != cudaSuccess) throw Error("failed");
    });
  };
  CHECK(after(whole) == "");
  CHECK(after(whole + 1).find("cudaMemsetAsync: 4001 bytes") == 0);
}

TEST_CASE("stood in: tensors and workspaces of libraries stay in one allocation") {
  const auto cuda = gpu();
  REQUIRE(cuda);
  // A convolution of cuDNN's, with workspace.
  const Shape shape{2, 16, 4, 8, 8};
  const auto bytes = static_cast<size_t>(shape.count()) * 4;
  const auto x = cuda->allocate(bytes), dy = cuda->allocate(bytes), short_dy = cuda->allocate(bytes - 4);
  const auto dw = cuda->allocate(16 * 27 * 16 * 4);
  const auto weights = [&](const std::unique_ptr<Memory>& gradient, size_t missing) {
    const ConvBackwardWeights op{.x = floats(x, shape),
                                 .dy = floats(gradient, shape),
                                 .dw = floats(dw, {16, 16, 3, 3, 3}),
                                 .dbias = {},
                                 .window = {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
    const size_t wanted = cuda->scratch_bytes(op);
    REQUIRE(wanted > missing);
    const auto scratch = cuda->allocate(wanted - missing);
    return error_of([&] {
      cuda->run(op, Scratch{scratch->data(), wanted});
      cuda->synchronize();
    });
  };
  CHECK(weights(dy, 0) == "");
  CHECK(weights(short_dy, 0).find("cuDNN's tensor ") == 0);
  CHECK(weights(dy, 1000).find("cuDNN's workspace: ") == 0);

  // A product of cuBLAS's.
  const auto a = cuda->allocate(6 * 4), b = cuda->allocate(15 * 4), c = cuda->allocate(10 * 4);
  const auto short_a = cuda->allocate(5 * 4), short_c = cuda->allocate(9 * 4);
  const auto product = [&](const std::unique_ptr<Memory>& first, const std::unique_ptr<Memory>& result,
                           size_t missing) {
    const LinearForward op{.x = floats(first, {2, 3, 1, 1, 1}),
                           .w = floats(b, {5, 3, 1, 1, 1}),
                           .bias = {},
                           .y = floats(result, {2, 5, 1, 1, 1})};
    const size_t wanted = cuda->scratch_bytes(op);
    const auto scratch = cuda->allocate(wanted - missing);
    return error_of([&] {
      cuda->run(op, Scratch{scratch->data(), wanted});
      cuda->synchronize();
    });
  };
  CHECK(product(a, c, 0) == "");
  CHECK(product(short_a, c, 0).find("cublasGemmEx, B: 24 bytes") == 0);
  CHECK(product(a, short_c, 0).find("cublasGemmEx, C: 40 bytes") == 0);
  CHECK(product(a, c, 1000).find("cuBLAS's workspace: ") == 0);
}

TEST_CASE("stood in: not enough memory, in a sentence") {
  const std::string sentence = error_of([] { allocate_device(size_t{9} << 30); });
  CHECK(sentence == "not enough GPU memory: 9 GiB more are needed, 8 GiB are free");
  CHECK(cudaGetLastError() == cudaSuccess);  // the next launch must not report it
  const auto some = allocate_device(size_t{1} << 20);
  Gpu::the_one().fail_next("cudaMalloc", cudaErrorMemoryAllocation);
  CHECK(error_of([] { allocate_device(1000); }).find("not enough GPU memory: 0 GiB more are needed, ") == 0);
  CHECK(error_of([] { allocate_device(1000); }) == "");
  Gpu::the_one().fail_next("cudaMalloc", cudaErrorIllegalAddress);
  CHECK(error_of([] { allocate_device(1000); }).find("cudaMalloc failed: ") == 0);
  Gpu::the_one().revive();
  Gpu::the_one().fail_next("cudaMallocHost", cudaErrorMemoryAllocation);
  CHECK(error_of([] { allocate_pinned(1000); }).find("cudaMallocHost failed: ") == 0);
}

TEST_CASE("stood in: a machine without a GPU, or with one that cannot be used, in a sentence") {
  const auto opened = [](const char* call, cudaError_t status) {
    Gpu::the_one().fail_next(call, status);
    return error_of([] { open_device(0); });
  };
  CHECK(opened("cudaGetDeviceCount", cudaErrorNoDevice) == "--device cuda: no NVIDIA GPU found");
  CHECK(opened("cudaGetDeviceCount", cudaErrorInsufficientDriver)
            .find("--device cuda: the NVIDIA driver is too old (it knows CUDA ") == 0);
  CHECK(opened("cudaGetDeviceCount", cudaErrorUnknown)
            .find("--device cuda: the driver cannot be asked for its GPUs") == 0);
  CHECK(opened("cudaSetDevice", cudaErrorDevicesUnavailable).find("cudaSetDevice failed: ") == 0);
  CHECK(error_of([] { open_device(0); }) == "");
  CHECK(error_of([] { open_device(1); }) == "--device cuda: there is no GPU number 1; this machine has 1");
  Gpu::the_one().fail_next("cudaStreamSynchronize", cudaErrorNoKernelImageForDevice);
  CHECK(error_of([] {
          make_cuda_backend({});
        }).find("--device cuda: no kernel of this laban starts on the ") == 0);

  CHECK(cuda_status(0).works);
  Gpu::the_one().fail_next("cudaGetDeviceCount", cudaErrorNoDevice);
  CHECK(cuda_status(0).reason == "no NVIDIA GPU found");
  Gpu::the_one().fail_next("cudaStreamSynchronize", cudaErrorNoKernelImageForDevice);
  CHECK_FALSE(cuda_status(0).works);
  CHECK_FALSE(cuda_status(1).works);
}

TEST_CASE("stood in: a GPU that is lost to the process is told as such, whoever notices") {
  for (const cudaError_t fault : {cudaErrorIllegalAddress, cudaErrorLaunchFailure}) {
    const auto backend = make_cuda_backend({});
    Gpu::the_one().fail_next("cudaStreamSynchronize", fault);
    CHECK_THROWS_AS(backend->synchronize(), MachineError);
    // From now on every call says so, in the same words, and nothing is tried again.
    try {
      allocate_device(4);
      FAIL("the GPU is lost");
    } catch (const MachineError& error) {
      CHECK(std::string(error.what()).find("The GPU does nothing more for this process") !=
            std::string::npos);
    }
    CHECK_THROWS_AS(check(CUDNN_STATUS_EXECUTION_FAILED, "cudnnBackendExecute"), MachineError);
    CHECK_THROWS_AS(check(CUBLAS_STATUS_EXECUTION_FAILED, "cublasGemmEx"), MachineError);
    CHECK_FALSE(cuda_status(0).works);
    Gpu::the_one().revive();
    CHECK_NOTHROW(backend->synchronize());
    // What a library says by itself is no lost GPU.
    CHECK_THROWS_AS(check(CUBLAS_STATUS_EXECUTION_FAILED, "cublasGemmEx"), Error);
    try {
      check(CUBLAS_STATUS_EXECUTION_FAILED, "cublasGemmEx");
    } catch (const MachineError&) {
      FAIL("the GPU is not lost");
    } catch (const Error&) {
    }
  }
}

TEST_CASE("stood in: GPUs count in the order of their buses, as in nvidia-smi") {
  Gpu::the_one().set_buses({0x4f, 0x0a, 0x9c});
  CHECK(open_device(0).index == 1);
  CHECK(open_device(1).index == 0);
  CHECK(open_device(2).index == 2);
  CHECK(error_of([] { open_device(3); }) == "--device cuda: there is no GPU number 3; this machine has 3");
  Gpu::the_one().set_buses({1});
}
