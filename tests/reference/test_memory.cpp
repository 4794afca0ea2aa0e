// Memory: alignment, copies, and that no op asks the heap for anything while it runs.
#include <doctest/doctest.h>

#include <cstdlib>
#include <new>

#include "reference/reference_backend.h"
#include "support/host_tensor.h"
#include "support/op_cases.h"

using namespace laban;
using namespace laban::test;

namespace {
size_t g_allocations = 0;  // calls of operator new, everywhere in this program
}

// Not inlined: a compiler that sees only one half of a pair as what it is, malloc() or free(), warns.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++g_allocations;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
  ++g_allocations;
  const size_t a = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(a, (bytes + a) / a * a)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

TEST_CASE("no op allocates while it runs") {
  ReferenceBackend backend;
  for (const DType compute : {DType::f64, DType::f32, DType::bf16})
    for (const OpCase& op_case : op_cases()) {
      OpRig rig(backend, compute, false, 1);
      size_t before = 0, during = 0;
      rig.watch([&](bool entering) {
        if (entering)
          before = g_allocations;
        else
          during += g_allocations - before;
      });
      op_case.body(rig);
      INFO(op_case.name);
      CHECK(during == 0);
    }
  const size_t before = g_allocations;
  ::operator delete(::operator new(8));
  CHECK(g_allocations == before + 1);  // the count does count
}

TEST_CASE("memory is aligned to 64 bytes and holds what was uploaded") {
  ReferenceBackend backend;
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{4096}}) {
    const std::unique_ptr<Memory> memory = backend.allocate(bytes);
    CHECK(memory->bytes() == bytes);
    CHECK(reinterpret_cast<uintptr_t>(memory->data()) % 64 == 0);
    const Tensor tensor(memory->data(), DType::u8, Shape::vector(static_cast<int64_t>(bytes)));
    std::vector<uint8_t> sent(bytes), received(bytes);
    for (size_t i = 0; i < bytes; ++i) sent[i] = static_cast<uint8_t>(i * 7 + 1);
    backend.upload(tensor, sent.data());
    backend.download(received.data(), tensor);
    CHECK(received == sent);
  }
}

TEST_CASE("integers are no activations, and that is said") {
  HostTensor x(Shape::vector(4), DType::i32), y(Shape::vector(4), DType::i32);
  ReferenceBackend backend;
  CHECK_THROWS_AS(run_op(backend, ReluForward{x, y}), std::logic_error);
  HostTensor half(Shape::matrix(1, 4), DType::bf16), p(Shape::matrix(1, 4), DType::bf16);
  CHECK_THROWS_AS(run_op(backend, Softmax{half, p}), std::logic_error);
}
