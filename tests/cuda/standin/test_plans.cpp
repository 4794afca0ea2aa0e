// Convolutions whose plans are chosen by time, on the stand-in: no time is that of a GPU, but each plan is
// run, recorded and replayed as there, the winner is kept in a file, and who finds it there does not search.
#include <doctest/doctest.h>

#include "core/files.h"
#include "core/rng.h"
#include "standin/fixture.h"
#include "support/gpu.h"
#include "support/temporary_folder.h"

using namespace laban;
using namespace laban::test;

namespace {

struct Outcome {
  std::vector<float> y;
  int64_t timed = 0;  // series of runs
};

/// A convolution of 3 x 3 x 3 on a new backend.
Outcome convolve(const CudaSettings& settings) {
  const auto cuda = gpu(settings);
  REQUIRE(cuda);
  const Shape shape{1, 8, 3, 4, 4}, filters{8, 8, 3, 3, 3};
  Rng rng(1, Purpose::test);
  std::vector<std::unique_ptr<Memory>> memory;
  const auto tensor = [&](const Shape& of) {
    std::vector<float> values(static_cast<size_t>(of.count()));
    for (float& value : values) value = static_cast<float>(rng.normal());
    memory.push_back(cuda->allocate(values.size() * 4));
    const Tensor made(memory.back()->data(), DType::f32, of, Device::cuda);
    cuda->upload(made, values.data());
    return made;
  };
  const ConvForward op{.x = tensor(shape),
                       .w = tensor(filters),
                       .bias = {},
                       .y = tensor(shape),
                       .window = {{3, 3, 3}, {1, 1, 1}, {1, 1, 1}}};
  Outcome outcome;
  outcome.timed = calls_of([&] { cuda->prepare(op); })["cudaEventElapsedTime"];
  const auto scratch = cuda->allocate(cuda->scratch_bytes(op));
  cuda->run(op, Scratch{scratch->data(), scratch->bytes()});
  outcome.y.resize(static_cast<size_t>(shape.count()));
  cuda->download(outcome.y.data(), op.y);
  CHECK(cuda->note() == "");
  return outcome;
}

}  // namespace

TEST_CASE("stood in: a plan chosen by time is remembered, and not timed again") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "plans.json";
  const Outcome untimed = convolve({.plans = file});
  CHECK(untimed.timed == 0);
  CHECK_FALSE(std::filesystem::exists(file));

  const Outcome searched = convolve({.autotune = true, .plans = file});
  CHECK(searched.timed > 4);  // a trial and three series for each of some plans
  CHECK(searched.y == untimed.y);
  const std::string kept = read_file(file);
  CHECK(kept.find("stand-in for an H200") != std::string::npos);
  CHECK(kept.find("milliseconds") != std::string::npos);

  const Outcome remembered = convolve({.autotune = true, .plans = file});
  CHECK(remembered.timed == 0);
  CHECK(remembered.y == untimed.y);
  CHECK(read_file(file) == kept);
  CHECK(convolve({.autotune = true, .plans = folder.path() / "other.json"}).timed == searched.timed);
}
