// Recording on the stand-in: what a CUDA graph cannot hold is refused, and what it holds runs when it is
// replayed, and not before.
#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>

#include "core/machine_error.h"
#include "cuda/make_backend.h"
#include "standin/fixture.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;
using doctest::Contains;

namespace {

/// sum += from
void add(const Numbers& from, const Numbers& sum, Stream stream) {
  run(Accumulate{.from = from.tensor(), .into = sum.tensor()}, stream);
}
void zero(const Numbers& numbers, Stream stream) { run(SetZero{numbers.tensor()}, stream); }

}  // namespace

TEST_CASE("stood in: what is recorded runs at each replay, with what lies in memory then") {
  for (const auto schedule : kEverySchedule) {
    const Scheduled scheduled(schedule);
    const StreamOwner stream;
    const Numbers place = on_card(), sum = on_card();
    Numbers buffer = page_locked(1);
    zero(sum, stream.get());
    const auto recording = record_graph(stream.get(), [&] {
      begin_copy_to_device(place.data(), buffer.data(), place.bytes(), stream.get());
      add(place, sum, stream.get());
    });
    CHECK(std::isnan(contents(place, stream.get()).front()));
    CHECK(contents(sum, stream.get()) == all(0));
    recording->replay();
    CHECK(contents(sum, stream.get()) == all(1));
    buffer.fill(10);
    CHECK(contents(sum, stream.get()) == all(1));
    recording->replay();
    recording->replay();
    CHECK(contents(sum, stream.get()) == all(21));
    // A replay is work like other work: behind what was there, before what comes.
    zero(sum, stream.get());
    recording->replay();
    add(sum, place, stream.get());
    CHECK(contents(place, stream.get()) == all(20));
  }
}

TEST_CASE("stood in: nothing that waits or allocates can be recorded") {
  const StreamOwner stream, other;
  const Numbers place = on_card(), sum = on_card();
  std::vector<float> values = all(1);
  Event before;
  before.record(other.get());
  const auto managed = [] { allocate_managed(4); };
  const auto locked = [] { allocate_pinned(4); };
  const auto from_pageable = [&] {
    begin_copy_to_device(place.data(), values.data(), place.bytes(), stream.get());
  };
  const auto to_pageable = [&] { copy_to_host(values.data(), place.data(), place.bytes(), stream.get()); };
  const std::pair<const char*, std::function<void()>> forbidden[] = {
      {"cudaMalloc failed: cudaErrorStreamCaptureUnsupported", [] { allocate_device(4); }},
      {"cudaMallocManaged failed: cudaErrorStreamCaptureUnsupported", managed},
      {"cudaMallocHost failed: cudaErrorStreamCaptureUnsupported", locked},
      {"cudaStreamSynchronize failed: cudaErrorStreamCaptureUnsupported", [&] { stream.synchronize(); }},
      {"cudaEventSynchronize failed: cudaErrorStreamCaptureUnsupported", [&] { before.synchronize(); }},
      {"cudaMemcpyAsync failed: cudaErrorStreamCaptureUnsupported", from_pageable},
      {"cudaMemcpyAsync failed: cudaErrorStreamCaptureUnsupported", to_pageable},
      // What comes from outside of the recording cannot be waited for in it.
      {"cudaStreamWaitEvent failed: cudaErrorStreamCaptureIsolation",
       [&] { before.make_wait(stream.get()); }},
  };
  for (const auto& [sentence, body] : forbidden) {
    CAPTURE(sentence);
    // What was recorded before is gone with it.
    const auto with_work = [&, &work = body] {
      add(place, sum, stream.get());
      work();
    };
    CHECK_THROWS_WITH_AS(record_graph(stream.get(), with_work), Contains(sentence), Error);
    // Nor where nobody looks at the status.
    const auto unseen = [&, &work = body] {
      try {
        with_work();
      } catch (const Error&) {
      }
    };
    CHECK_THROWS_WITH_AS(record_graph(stream.get(), unseen), Contains("something that cannot be recorded"),
                         Error);
    CHECK(cudaGetLastError() == cudaErrorStreamCaptureInvalidated);
  }
  // Memory that goes while a stream is recorded cannot tell anybody.
  auto going = allocate_device(4);
  CHECK_THROWS_WITH_AS(record_graph(stream.get(), [&] { going.reset(); }),
                       Contains("something that cannot be recorded"), Error);
  cudaGetLastError();

  // None of it has left anything behind: the next one is recorded, and the stream works.
  zero(place, stream.get());
  zero(sum, stream.get());
  const auto recording = record_graph(stream.get(), [&] { add(place, sum, stream.get()); });
  CHECK(contents(sum, stream.get()) == all(0));
}

TEST_CASE("stood in: other streams and other threads go on while one is recorded") {
  const StreamOwner stream, copies;
  const Numbers ones = page_locked(1), place = on_card(), sum = on_card();
  zero(sum, stream.get());
  const auto recording = record_graph(stream.get(), [&] {
    begin_copy_to_device(place.data(), ones.data(), place.bytes(), copies.get());
    std::thread([] { allocate_pinned(4); }).join();  // as a loader does
    add(place, sum, stream.get());
  });
  CHECK(contents(place, copies.get()) == all(1));
  CHECK(contents(sum, stream.get()) == all(0));
  recording->replay();
  CHECK(contents(sum, stream.get()) == all(1));
}

TEST_CASE("stood in: a recording is not replayed over memory that has gone") {
  const StreamOwner stream;
  const Numbers sum = on_card();
  auto ones = std::make_unique<Numbers>(on_card());
  zero(*ones, stream.get());
  zero(sum, stream.get());
  const auto recording = record_graph(stream.get(), [&] { add(*ones, sum, stream.get()); });
  recording->replay();
  stream.synchronize();
  ones.reset();
  CHECK_THROWS_WITH_AS(recording->replay(), Contains("memory of the GPU that nobody has allocated"), Error);
}

TEST_CASE("stood in: a step that cannot be recorded runs without, and the backend says so") {
  for (const char* call : {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"}) {
    const auto backend = make_cuda_backend({});
    const auto memory = backend->allocate(kNumbers * sizeof(float));
    const Tensor numbers(memory->data(), DType::f32, Shape::vector(kNumbers), Device::cuda);
    int runs = 0;
    const std::function<void()> body = [&] {
      ++runs;
      backend->run(SetZero{numbers}, {});
    };
    CHECK(backend->note().empty());
    standin::Gpu::the_one().fail_next(call, cudaErrorStreamCaptureInvalidated);
    CHECK(backend->record(body) == nullptr);
    CHECK(backend->note().find("steps run op by op, somewhat slower, as they cannot be recorded: " +
                               std::string(call) + " failed") == 0);
    CHECK(backend->record(body) == nullptr);  // nor is it tried at every step
    CHECK(runs == (std::string(call) == "cudaStreamBeginCapture" ? 0 : 1));
    body();
    backend->synchronize();
  }
  const auto lost = make_cuda_backend({});
  standin::Gpu::the_one().fail_next("cudaStreamEndCapture", cudaErrorIllegalAddress);
  CHECK_THROWS_AS(lost->record([] {}), MachineError);
  standin::Gpu::the_one().revive();
}
