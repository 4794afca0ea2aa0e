// What a step asks of CUDA, call by call: nothing is allocated, the host waits only for results, and the
// whole of forward, loss and backward is one launch.
#include <doctest/doctest.h>

#include <cmath>

#include "models/families.h"
#include "models/network.h"
#include "standin/fixture.h"
#include "support/gpu.h"
#include "train/clip_buffer.h"
#include "train/optimizer.h"
#include "train/staging_memory.h"

using namespace laban;
using namespace laban::test;

namespace {

std::shared_ptr<const Batch> batch_of(const Shape& shape, std::pmr::memory_resource* staging) {
  auto* const batch =
      new Batch{.shape = shape,
                .clips = std::pmr::vector<float>(static_cast<size_t>(shape.count()), 0.5f, staging),
                .staged = true,
                .labels = std::vector<int32_t>(static_cast<size_t>(shape.n), 1)};
  return std::shared_ptr<const Batch>(batch);
}

}  // namespace

TEST_CASE("stood in: a step allocates nothing, and waits for its results alone") {
  for (const bool graph : {true, false}) {
    CAPTURE(graph);
    const auto cuda = gpu({.graph = graph});
    REQUIRE(cuda);
    const Shape shape{2, 3, 4, 16, 16};
    Network network(*cuda, DType::bf16, model_by_name("r2plus1d_tiny", 5));
    network.store().initialize(1);
    Optimizer optimizer(network.store(), {.kind = OptimizerKind::sgd, .weight_decay = 1e-4});
    StagingMemory staging(*cuda);
    ClipBuffer buffer(*cuda, DType::bf16);
    const auto first = batch_of(shape, &staging), second = batch_of(shape, &staging);
    std::vector<double> losses(2), logits(10);
    uint64_t step = 0;
    const auto train = [&] {
      // As the trainer does it: the next batch sets off before this one's results are waited for.
      const Tensor clips = buffer.take();
      network.store().zero_gradients();
      network.train_step(
          {.clips = clips, .labels = first->labels, .loss = {.scale = 0.5}, .seed = 1, .step = step++});
      optimizer.step(0.01);
      buffer.begin(step % 2 ? second : first);
      network.results(losses, logits);
      CHECK(std::isfinite(optimizer.gradient_norm()));
    };
    buffer.begin(first);
    // Each of the two places is planned and run, then recorded.
    for (int i = 0; i < 6; ++i) train();
    for (int i = 0; i < 3; ++i) {
      const auto calls = calls_of(train);
      for (const char* never :
           {"cudaMalloc", "cudaMallocHost", "cudaFree", "cudaFreeHost", "cudaEventSynchronize",
            "cudaEventCreateWithFlags", "cudaStreamBeginCapture", "cudaGraphInstantiate"}) {
        CAPTURE(never);
        CHECK_FALSE(calls.contains(never));
      }
      // Losses, logits, norm: three downloads behind each other, of which the first waits.
      CHECK(calls.at("cudaStreamSynchronize") == 3);
      CHECK((calls.contains("cudaGraphLaunch") ? calls.at("cudaGraphLaunch") : 0) == (graph ? 1 : 0));
      // The clips, the labels, the step, the learning rate; and the three.
      CHECK(calls.at("cudaMemcpyAsync") == 7);
    }
  }
}
