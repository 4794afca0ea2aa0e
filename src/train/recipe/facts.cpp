#include "train/recipe/facts.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/thread_group.h"
#include "data/load/clip_reader.h"
#include "data/video/watch.h"

namespace laban {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

constexpr size_t kMostSamples = 48, kFewestSamples = 3;

struct Sample {
  int width = 0, height = 0;
  int64_t frames = 0;
  double fps = 0, index_seconds = 0, read_seconds = 0;
};

double seconds_of(const Sample& s) { return s.fps > 0 ? static_cast<double>(s.frames) / s.fps : 0; }

template <class Get>
auto quantile(std::vector<Sample> samples, double fraction, Get get) {
  std::ranges::sort(samples, {}, get);
  return get(samples[static_cast<size_t>(fraction * static_cast<double>(samples.size() - 1) + 0.5)]);
}

Sample measure(const Dataset& dataset, int item, IndexCache& indices, ClipReader& reader,
               const std::atomic<bool>* stop) {
  const DatasetItem& from = dataset.items[static_cast<size_t>(item)];
  const auto start = Clock::now();
  const auto index = indices.get(from, static_cast<size_t>(item), stop);
  Sample sample{index->shown_width(), index->shown_height(), index->frame_count(), index->fps()};
  sample.index_seconds = since(start);
  ClipSettings how;
  how.mode = SampleMode::test;
  how.sampler.frames = 16;
  how.transform.rule = ScaleRule::frame;
  how.transform.crop = {72, 96};
  std::vector<float> clip(size_t{16} * 72 * 96 * 3);
  std::vector<int64_t> frames;
  const auto reading = Clock::now();
  reader.read(from, *index, how, {}, stop, clip.data(), frames);
  sample.read_seconds = since(reading);
  return sample;
}

void count(const Dataset& dataset, DataFacts& facts) {
  facts.classes = static_cast<int64_t>(dataset.classes.size());
  facts.train_clips = static_cast<int64_t>(dataset.of(Split::train).size());
  facts.val_clips = static_cast<int64_t>(dataset.of(Split::val).size());
  facts.test_clips = static_cast<int64_t>(dataset.of(Split::test).size());
  facts.splits_drawn = dataset.drawn != DrawnSplits::none;
  std::vector<int64_t> by_class(dataset.classes.size(), 0);
  std::set<std::string> sources;
  for (const int item : dataset.of(Split::train)) {
    const DatasetItem& from = dataset.items[static_cast<size_t>(item)];
    ++by_class[static_cast<size_t>(from.label)];
    sources.insert(from.group.empty() ? from.name : from.group);
  }
  facts.sources = static_cast<int64_t>(sources.size());
  for (const int64_t clips : by_class) {
    if (clips == 0) continue;
    facts.largest_class = std::max(facts.largest_class, clips);
    facts.smallest_class = facts.smallest_class == 0 ? clips : std::min(facts.smallest_class, clips);
  }
  for (const std::string& name : dataset.classes)
    for (const char* side : {"left", "right", "clockwise"})
      if (name.find(side) != std::string::npos && facts.sided_class.empty()) facts.sided_class = name;
}

}  // namespace

DataFacts look_at(const Dataset& dataset, const LoaderSettings& settings, double seconds) {
  DataFacts facts;
  count(dataset, facts);
  const std::vector<int> train = dataset.of(Split::train);
  std::vector<int> chosen;
  const size_t samples = std::min(kMostSamples, train.size());
  // Evenly chosen in an order that visits the whole set early: time may end it after a few.
  size_t stride = samples > 0 ? std::max<size_t>(1, samples * 5 / 8) : 1;
  while (samples > 1 && std::gcd(stride, samples) != 1) ++stride;
  for (size_t i = 0; i < samples; ++i)
    chosen.push_back(train[(i * stride % samples) * train.size() / samples]);

  IndexCache indices(dataset.items.size(), Trust::long_tables, index_store_of(dataset, settings),
                     dataset.root);
  std::vector<Sample> seen;
  std::mutex mutex;
  std::atomic<size_t> next{0};
  const auto start = Clock::now();
  const auto told_to_stop = [&] { return settings.stop && settings.stop->load(std::memory_order_relaxed); };
  const auto work = [&] {
    ClipReader reader;
    for (size_t i = next++; i < chosen.size() && !told_to_stop(); i = next++) {
      if (i >= kFewestSamples && since(start) > seconds) return;
      try {
        const Sample sample = measure(dataset, chosen[i], indices, reader, settings.stop);
        const std::lock_guard lock(mutex);
        seen.push_back(sample);
      } catch (const Canceled&) {
        return;
      } catch (const FileError&) {
        const std::lock_guard lock(mutex);
        ++facts.unreadable;
      }
    }
  };
  run_on_threads(settings.workers, work, [&] { next = chosen.size(); });
  if (told_to_stop()) throw Canceled{};

  facts.looked_at = static_cast<int64_t>(seen.size());
  facts.videos = std::ranges::any_of(
      train, [&](int item) { return dataset.items[static_cast<size_t>(item)].kind == ItemKind::video; });
  if (seen.empty()) return facts;
  const auto area = [](const Sample& s) { return int64_t{s.width} * s.height; };
  const int64_t middle = quantile(seen, 0.5, area);
  const Sample& typical = *std::ranges::find_if(seen, [&](const Sample& s) { return area(s) == middle; });
  facts.width = typical.width, facts.height = typical.height;
  facts.aspect = quantile(seen, 0.5, [](const Sample& s) { return static_cast<double>(s.width) / s.height; });
  facts.median_frames = quantile(seen, 0.5, [](const Sample& s) { return s.frames; });
  facts.fps = quantile(seen, 0.5, [](const Sample& s) { return s.fps; });
  facts.median_seconds = quantile(seen, 0.5, seconds_of);
  facts.short_seconds = quantile(seen, 0.1, seconds_of);
  for (const Sample& s : seen) {
    const auto weight = 1 / static_cast<double>(seen.size());
    facts.mean_frames += weight * static_cast<double>(s.frames);
    facts.index_seconds += weight * s.index_seconds;
    facts.read_seconds += weight * s.read_seconds;
  }
  return facts;
}

}  // namespace laban
