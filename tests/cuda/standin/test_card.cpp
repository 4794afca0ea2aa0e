// The stand-in's own tests: what it lets pass, and that it catches what it says it does.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <vector>

#include "cuda/kernels/kernels.h"
#include "cuda/runtime.h"
#include "standin/card.h"
#include "support/gpu.h"

using namespace laban;
using namespace laban::cuda;
using laban::standin::Card;
using laban::standin::Schedule;

namespace {

constexpr int64_t kCount = 1000;
constexpr size_t kBytes = kCount * sizeof(float);

/// The schedule, for as long as it lives.
class Scheduled {
 public:
  explicit Scheduled(Schedule schedule) { Card::the_one().set_schedule(schedule); }
  ~Scheduled() { Card::the_one().set_schedule(Schedule::late); }
  Scheduled(const Scheduled&) = delete;
  Scheduled& operator=(const Scheduled&) = delete;
};

Tensor floats(Memory& memory, int64_t count = kCount) {
  return Tensor(memory.data(), DType::f32, Shape::vector(count), Device::cuda);
}
std::vector<float> read(const Memory& memory, const StreamOwner& stream) {
  std::vector<float> values(kCount);
  copy_to_host(values.data(), const_cast<Memory&>(memory).data(), kBytes, stream.get());
  return values;
}
bool all_are(const std::vector<float>& values, float value) {
  for (const float v : values)
    if (v != value) return false;
  return true;
}
std::unique_ptr<Memory> pinned_with(float value) {
  auto memory = allocate_pinned(kBytes);
  std::fill_n(static_cast<float*>(memory->data()), kCount, value);
  return memory;
}

}  // namespace

TEST_CASE("the stand-in card: work runs in the stream's order, and its results arrive") {
  for (const Schedule schedule : {Schedule::early, Schedule::late, Schedule::random}) {
    const Scheduled scheduled(schedule);
    open_device(0);
    const StreamOwner stream;
    const auto one = pinned_with(1), on_card = allocate_device(kBytes), sum = allocate_device(kBytes);
    begin_copy_to_device(on_card->data(), one->data(), kBytes, stream.get());
    run(SetZero{floats(*sum)}, stream.get());
    for (int i = 0; i < 3; ++i) run(Accumulate{floats(*on_card), floats(*sum)}, stream.get());
    CHECK(all_are(read(*sum, stream), 3));
  }
}

TEST_CASE("the stand-in card: what nobody has written is NaN") {
  const StreamOwner stream;
  const auto memory = allocate_device(kBytes);
  for (const float value : read(*memory, stream)) CHECK(std::isnan(value));
}

TEST_CASE("the stand-in card: two streams need a wait between them") {
  for (const bool waits : {true, false}) {
    const Scheduled scheduled(Schedule::late);
    const StreamOwner copies, ops;
    const auto source = pinned_with(7), to = allocate_device(kBytes), out = allocate_device(kBytes);
    Event arrived;
    begin_copy_to_device(to->data(), source->data(), kBytes, copies.get());
    arrived.record(copies.get());
    if (waits) arrived.make_wait(ops.get());
    run(SetZero{floats(*out)}, ops.get());
    run(Accumulate{floats(*to), floats(*out)}, ops.get());
    CHECK(all_are(read(*out, ops), 7) == waits);
  }
}

TEST_CASE("the stand-in card: a source that is written to again too early shows") {
  for (const bool waits : {true, false}) {
    const Scheduled scheduled(Schedule::late);
    const StreamOwner stream;
    const auto source = pinned_with(1), to = allocate_device(kBytes);
    begin_copy_to_device(to->data(), source->data(), kBytes, stream.get());
    if (waits) stream.synchronize();
    std::fill_n(static_cast<float*>(source->data()), kCount, 2.0f);
    CHECK(all_are(read(*to, stream), 1) == waits);
  }
}

TEST_CASE("the stand-in card: small uploads arrive, many more than their ring holds") {
  for (const Schedule schedule : {Schedule::early, Schedule::late, Schedule::random}) {
    const Scheduled scheduled(schedule);
    const StreamOwner stream;
    SmallUploads uploads;
    constexpr int kUploads = 200;  // of 4,000 bytes each: 1 MB would hold 262
    std::vector<std::unique_ptr<Memory>> places;
    std::vector<float> values(kCount);
    for (int round = 0; round < 2; ++round)
      for (int i = 0; i < kUploads; ++i) {
        if (round == 0) places.push_back(allocate_device(kBytes));
        std::fill(values.begin(), values.end(), static_cast<float>(1000 * round + i));
        uploads.copy(places[static_cast<size_t>(i)]->data(), values.data(), kBytes, stream.get());
      }
    for (int i = 0; i < kUploads; ++i)
      REQUIRE(all_are(read(*places[static_cast<size_t>(i)], stream), static_cast<float>(1000 + i)));
  }
}

TEST_CASE("the stand-in card: the host cannot touch the card's memory") {
  const auto memory = allocate_device(kBytes);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    *static_cast<volatile float*>(memory->data()) = 1;
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGSEGV);
}

TEST_CASE(
    "the stand-in card: a recording runs when it is replayed, as often as it is, on what lies there then") {
  const StreamOwner stream;
  const auto one = pinned_with(1), five = pinned_with(5);
  const auto from = allocate_device(kBytes), sum = allocate_device(kBytes);
  begin_copy_to_device(from->data(), one->data(), kBytes, stream.get());
  run(SetZero{floats(*sum)}, stream.get());
  const auto recording = record_graph(stream.get(), [&] {
    run(Accumulate{floats(*from), floats(*sum)}, stream.get());
  });
  CHECK(all_are(read(*sum, stream), 0));
  recording->replay();
  recording->replay();
  CHECK(all_are(read(*sum, stream), 2));
  begin_copy_to_device(from->data(), five->data(), kBytes, stream.get());
  recording->replay();
  CHECK(all_are(read(*sum, stream), 7));
}

TEST_CASE("the stand-in card: what waits or allocates spoils a recording") {
  const StreamOwner stream, other;
  const auto memory = allocate_device(kBytes);
  std::vector<float> pageable(kCount);
  Event outside, inside;
  outside.record(other.get());
  const auto refused = [&](const std::function<void()>& body) {
    CHECK_THROWS_WITH_AS(record_graph(stream.get(), body), doctest::Contains("StreamCapture"), Error);
    // And the stream goes on afterwards.
    run(SetZero{floats(*memory)}, stream.get());
    CHECK(all_are(read(*memory, stream), 0));
  };
  refused([&] { allocate_device(16); });
  refused([&] { allocate_pinned(16); });
  refused([&] { stream.synchronize(); });
  refused([&] { outside.synchronize(); });
  refused([&] { outside.make_wait(stream.get()); });
  refused([&] { copy_to_device(memory->data(), pageable.data(), kBytes, stream.get()); });
}

TEST_CASE("the stand-in card: a kernel is not given the host's memory, nor a copy what is not there") {
  const StreamOwner stream;
  const auto memory = allocate_device(kBytes);
  std::vector<float> pageable(kCount);
  const Tensor on_host(pageable.data(), DType::f32, Shape::vector(kCount), Device::cuda);
  CHECK_THROWS_WITH_AS(run(Accumulate{on_host, floats(*memory)}, stream.get()),
                       doctest::Contains("host's memory"), Error);
  const auto pinned = allocate_pinned(2 * kBytes);
  CHECK_THROWS_WITH_AS(begin_copy_to_device(memory->data(), pinned->data(), kBytes + 4, stream.get()),
                       doctest::Contains("4000 left"), Error);
}

TEST_CASE("the stand-in card: what a person reads where a card is missing, old or full") {
  const auto told = [](const std::function<void()>& body) -> std::string {
    try {
      body();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto has = [](const std::string& message, const char* part) {
    return message.find(part) != std::string::npos;
  };
  Card::the_one().fail_next("cudaGetDeviceCount", cudaErrorNoDevice);
  CHECK(has(told([] { open_device(0); }), "there is no NVIDIA GPU here"));
  Card::the_one().fail_next("cudaGetDeviceCount", cudaErrorInsufficientDriver);
  CHECK(has(told([] { open_device(0); }), "the NVIDIA driver is too old"));
  CHECK(has(told([] { open_device(3); }), "there is no GPU number 3; this machine has 1"));
  CHECK(has(told([] { allocate_device(size_t{9} << 30); }),
            "the GPU has no room for 9 GiB more; 8 GiB are free"));
  Card::the_one().fail_next("cudaMallocHost", cudaErrorMemoryAllocation);
  CHECK(has(told([] { allocate_pinned(1 << 20); }), "cudaMallocHost failed"));
  // An error is told once, and does not stick to the calls after it.
  CHECK(told([] { allocate_device(16); }) == "");
}
