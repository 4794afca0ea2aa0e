// Uploading batches to a backend: as pixels, and as frames that the backend converts to pixels.
#include "train/clip_buffer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "cpu/cpu_backend.h"
#include "data/load/loader.h"
#include "train/staging_memory.h"
#include "train_fixture.h"

using namespace laban;

namespace {

Tensor load(ClipBuffer& buffer, const std::shared_ptr<const Batch>& batch) {
  buffer.begin(batch);
  return buffer.take();
}

struct Blobs {
  test::TemporaryFolder folder;
  Dataset dataset;
  std::vector<int> items;
  LoaderSettings settings;

  explicit Blobs(SampleMode mode) {
    test::write_moving_blobs(folder.path(), 3);
    const Config config = test::small_config(folder.path());
    dataset = open_dataset(folder.path(), dataset_settings(config));
    items.resize(dataset.items.size());
    std::iota(items.begin(), items.end(), 0);
    settings = loader_settings(config, mode);
    settings.batch = 5;
    settings.drop_last = false;
  }
};

}  // namespace

TEST_CASE("a batch of placed frames becomes the clips that a batch of pixels holds") {
  for (const auto& [mode, staged] : {std::pair(SampleMode::train, false), std::pair(SampleMode::train, true),
                                     std::pair(SampleMode::test, false), std::pair(SampleMode::test, true)}) {
    CAPTURE(staged);
    Blobs blobs(mode);
    CpuBackend backend(1);
    StagingMemory staging(backend);
    Loader pixels(blobs.dataset, blobs.items, blobs.settings);
    blobs.settings.placed = true;
    blobs.settings.workers = 3;
    if (staged) blobs.settings.staging = &staging;
    Loader frames(blobs.dataset, blobs.items, blobs.settings);
    ClipBuffer buffer(backend, DType::f32);
    pixels.start(0, 0, /*one_epoch=*/false);
    frames.start(0, 0, /*one_epoch=*/false);
    for (int i = 0; i < 6; ++i) {  // two epochs: buffers are used again
      const auto expected = pixels.next(), batch = frames.next();
      CHECK(batch->items == expected->items);
      CHECK(batch->frame_indices == expected->frame_indices);
      CHECK(batch->clips.empty());
      CHECK(batch->staged == staged);
      const Tensor clips = load(buffer, batch);
      REQUIRE(clips.shape == expected->shape);
      double worst = 0;
      for (int64_t k = 0; k < clips.count(); ++k)
        worst =
            std::max<double>(worst, std::abs(clips.as<float>()[k] - expected->clips[static_cast<size_t>(k)]));
      CHECK(worst < 5e-5);  // a gray level is 0.017
    }
  }
}

TEST_CASE("a backend's memory serves the loaders of a device, and only those") {
  CpuBackend host(1);
  LoaderSettings settings;
  StagingMemory on_host(host);
  on_host.serve(settings);
  CHECK_FALSE(settings.placed);
  CHECK(settings.staging == nullptr);

  // The last batch may go after the loader. Memory is kept for the next loader, and goes with its owner.
  struct Counting : CpuBackend {
    struct Counted : Memory {
      Counted(std::unique_ptr<Memory> memory, std::atomic<int>& live)
          : memory_(std::move(memory)), live_(live) {
        ++live_;
      }
      ~Counted() override { --live_; }
      void* data() override { return memory_->data(); }
      size_t bytes() const override { return memory_->bytes(); }
      std::unique_ptr<Memory> memory_;
      std::atomic<int>& live_;
    };
    using CpuBackend::CpuBackend;
    std::unique_ptr<Memory> allocate_staging(size_t bytes) override {
      ++made;
      return std::make_unique<Counted>(CpuBackend::allocate_staging(bytes), live);
    }
    std::atomic<int> live{0}, made{0};
  } counting(1);
  auto owner = std::make_unique<StagingMemory>(counting);
  StagingMemory& staging = *owner;
  std::shared_ptr<const Batch> last;
  {
    Blobs blobs(SampleMode::train);
    blobs.settings.placed = true;
    blobs.settings.staging = &staging;
    Loader loader(blobs.dataset, blobs.items, blobs.settings);
    loader.start(0, 0, /*one_epoch=*/true);
    last = loader.next();
    CHECK(counting.live >= 5);  // a piece a clip, at least
  }
  CHECK(counting.live >= 5);
  last.reset();
  CHECK(counting.live == counting.made);
  const auto made_by_an_epoch = [&] {
    const int before = counting.made;
    Blobs blobs(SampleMode::train);
    blobs.settings.placed = true;
    blobs.settings.staging = &staging;
    blobs.settings.workers = 1;
    Loader loader(blobs.dataset, blobs.items, blobs.settings);
    loader.start(0, 0, /*one_epoch=*/true);
    while (loader.next()) {
    }
    return counting.made - before;
  };
  made_by_an_epoch();
  CHECK(made_by_an_epoch() <= 2);  // as when batches come back is left to chance
  owner.reset();
  CHECK(counting.live == 0);
}

TEST_CASE("pixels and frames by turns, in the compute type") {
  Blobs blobs(SampleMode::test);
  Loader pixels(blobs.dataset, blobs.items, blobs.settings);
  blobs.settings.placed = true;
  Loader frames(blobs.dataset, blobs.items, blobs.settings);
  pixels.start(0, 0, /*one_epoch=*/true);
  frames.start(0, 0, /*one_epoch=*/true);
  CpuBackend backend(1);
  ClipBuffer narrow(backend, DType::bf16);
  const auto expected = pixels.next(), batch = frames.next();
  const auto all_close = [&](const Tensor& clips) {
    REQUIRE(clips.dtype == DType::bf16);
    const auto* values = clips.as<BFloat16>();
    for (size_t k = 0; k < expected->clips.size(); ++k)
      if (std::abs(static_cast<float>(values[k]) - expected->clips[k]) > 0.01f) return false;
    return true;
  };
  narrow.begin(batch);
  const Tensor first = narrow.take();
  narrow.begin(expected);  // the next one, while the first is still in use
  CHECK(all_close(first));
  CHECK(all_close(narrow.take()));
  CHECK(all_close(load(narrow, batch)));
}

TEST_CASE("clips whose colors are augmented come as pixels, whatever was asked for") {
  Blobs blobs(SampleMode::train);
  blobs.settings.placed = true;
  blobs.settings.transform.augment.erase = 1;
  REQUIRE(blobs.settings.transform.augment.active());
  Loader loader(blobs.dataset, blobs.items, blobs.settings);
  loader.start(0, 0, /*one_epoch=*/true);
  const auto batch = loader.next();
  CHECK(batch->placed.empty());
  CHECK(batch->clips.size() == static_cast<size_t>(batch->shape.count()));
  blobs.settings.mode = SampleMode::test;  // where nothing is augmented
  Loader evaluation(blobs.dataset, blobs.items, blobs.settings);
  evaluation.start(0, 0, /*one_epoch=*/true);
  CHECK(evaluation.next()->placed.size() == 5);
}
