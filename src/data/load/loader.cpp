#include "data/load/loader.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>

#include "core/error.h"
#include "core/machine_error.h"
#include "core/thread_group.h"
#include "data/load/clip_reader.h"
#include "data/load/epoch_order.h"
#include "data/video/watch.h"

namespace laban {
namespace {

void validate(const LoaderSettings& s) {
  validate(s.sampler);
  validate(s.transform);
  const auto positive = [](int value, const char* what) {
    if (value < 1)
      throw UsageError(text("the loader needs at least 1 ", what, ", got ", value), "Choose at least 1.");
  };
  positive(s.batch, "clip per batch");
  positive(s.workers, "workers");
  positive(s.queue, "batch in its queue");
  positive(s.views, "view per item");
}

/// Unused batches. Outlives the loader if a batch does.
class Pool {
 public:
  explicit Pool(std::pmr::memory_resource* staging) : staging_(staging) {}

  std::unique_ptr<Batch> take() {
    const std::lock_guard lock(mutex_);
    if (resting_.empty())
      return std::unique_ptr<Batch>(
          new Batch{.clips = std::pmr::vector<float>(memory()), .staged = staging_ != nullptr});
    std::unique_ptr<Batch> batch = std::move(resting_.back());
    resting_.pop_back();
    return batch;
  }
  void give_back(std::unique_ptr<Batch> batch) {
    const std::lock_guard lock(mutex_);
    resting_.push_back(std::move(batch));
  }

  std::pmr::memory_resource* memory() const { return staging_ ? staging_ : std::pmr::new_delete_resource(); }

 private:
  std::pmr::memory_resource* staging_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Batch>> resting_;
};

/// `failure`, or, where it is a lack of memory, a sentence about that. `bytes`: of all batches.
std::exception_ptr as_fault(const std::exception_ptr& failure, int64_t bytes) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::bad_alloc&) {
    const std::string memory = memory_in_use();
    return std::make_exception_ptr(MachineError(
        text("out of memory while clips were read: the batches that are read ahead need ", bytes >> 20,
             " MiB, and every worker some more for its decoder", memory.empty() ? "" : "; " + memory),
        "Use a smaller --batch, --frames or --size or fewer --workers, or raise the memory limit."));
  } catch (...) {
    return failure;
  }
}

/// A batch being made. Workers take its clips one by one.
struct Job {
  std::unique_ptr<Batch> batch;
  int64_t first_position = 0;  // of the epoch
  int taken = 0, done = 0;     // clips
  int failed = -1;             // the first clip that failed, in batch order
  std::exception_ptr failure{};

  int clips() const { return static_cast<int>(batch->shape.n); }
};

}  // namespace

std::filesystem::path index_store_of(const Dataset& dataset, const LoaderSettings& settings) {
  if (!settings.keep_index) return {};
  if (!settings.index_file.empty()) {
    require_index_store(settings.index_file);
    return settings.index_file;
  }
  return settings.index_beside ? index_store_file(dataset.root) : user_index_store_file(dataset.root);
}

struct Loader::State {
  State(const Dataset& d, std::vector<int> chosen, LoaderSettings s)
      : dataset(d),
        items(std::move(chosen)),
        settings(std::move(s)),
        cache(d.items.size(),
              settings.on_bad_file == OnBadFile::exclude ? Trust::nothing : Trust::long_tables,
              index_store_of(d, settings), d.root) {}

  const Dataset& dataset;
  std::vector<int> items;
  LoaderSettings settings;
  IndexCache cache;
  std::vector<BadFile> bad;
  std::shared_ptr<Pool> pool = std::make_shared<Pool>(settings.staging);

  std::mutex mutex;
  std::condition_variable work, ready;
  std::atomic<bool> stopping{false};
  std::deque<Job> jobs;  // in order; next() takes the front one
  int64_t next_epoch = 0, next_index = 0;
  bool one_epoch = false, finished = true;
  std::exception_ptr broken;    // what ended a worker
  std::exception_ptr ended_by;  // what next() has thrown, and will throw again
  std::vector<int> order;       // of next_epoch; determined with its first batch
  int64_t order_epoch = -1;
  double waited = 0;
  ThreadGroup workers;

  bool told_to_stop() const { return settings.stop && settings.stop->load(std::memory_order_relaxed); }

  int64_t batches() const {
    const auto n = static_cast<int64_t>(items.size());
    return settings.drop_last ? n / settings.batch : (n + settings.batch - 1) / settings.batch;
  }

  /// Of the batches that can be there at once: those in the queue, and the one that is being used.
  int64_t batch_bytes() const {
    const PictureSize crop = settings.transform.crop;
    return int64_t{settings.queue + 1} * settings.batch * settings.sampler.frames * crop.height * crop.width *
           3 * static_cast<int64_t>(sizeof(float));
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work.notify_all();
    workers.join();
    for (Job& job : jobs) pool->give_back(std::move(job.batch));
    jobs.clear();
    stopping = false;
  }

  /// Indexes all files in parallel and leaves out those that fail.
  void exclude_bad_files() {
    std::vector<std::exception_ptr> failure(items.size());
    std::atomic<size_t> next{0};
    int64_t done = 0;
    const auto look = [&] {
      for (size_t i = next++; i < items.size() && !told_to_stop(); i = next++) {
        const auto position = static_cast<size_t>(items[i]);
        try {
          cache.get(dataset.items[position], position, settings.stop);
        } catch (...) {
          failure[i] = std::current_exception();
        }
        const std::lock_guard lock(mutex);
        ++done;
        if (settings.on_check) settings.on_check(done, static_cast<int64_t>(items.size()));
      }
    };
    run_on_threads(settings.workers, look, [&] { next = items.size(); });
    if (told_to_stop()) throw Canceled{};

    std::vector<int> good;
    for (size_t i = 0; i < items.size(); ++i) {
      if (!failure[i]) {
        good.push_back(items[i]);
        continue;
      }
      try {
        std::rethrow_exception(failure[i]);
      } catch (const FileError& error) {
        bad.push_back({error.file(), error.what()});
      }
    }
    std::ranges::sort(bad, {}, &BadFile::file);
    items = std::move(good);
  }

  /// Opens the next batch to make, with its clips' items; false at the end. Called under the lock.
  bool open_job() {
    if (next_index >= batches()) {
      if (one_epoch || batches() == 0) return false;
      ++next_epoch, next_index = 0;
    }
    if (order_epoch != next_epoch) {
      order = epoch_order(dataset, items, {settings.seed, settings.shuffle, settings.balance}, next_epoch);
      order_epoch = next_epoch;
    }
    Job job{.batch = pool->take(), .first_position = next_index * settings.batch};
    Batch& batch = *job.batch;
    const int64_t n =
        std::min<int64_t>(settings.batch, static_cast<int64_t>(order.size()) - job.first_position);
    const PictureSize crop = settings.transform.crop;
    batch.epoch = next_epoch, batch.index = next_index++;
    batch.shape = {.n = n, .c = 3, .t = settings.sampler.frames, .h = crop.height, .w = crop.width};
    const bool placed = settings.placed && !augments(settings.mode, settings.transform);
    batch.clips.resize(placed ? 0 : static_cast<size_t>(batch.shape.count()));
    if (placed) {
      // A smaller last batch keeps the buffers that the others need.
      while (static_cast<int64_t>(batch.placed.size()) < n)
        batch.placed.push_back({.bytes = std::pmr::vector<uint8_t>(pool->memory()), .frames = {}});
      batch.placed.erase(batch.placed.begin() + n, batch.placed.end());
    }
    const TransformSettings& transform = settings.transform;
    for (size_t c = 0; c < 3; ++c) {
      batch.scale[c] = 1 / (255 * transform.std[c]);
      batch.shift[c] = -transform.mean[c] / transform.std[c];
    }
    batch.labels.resize(static_cast<size_t>(n));
    batch.items.assign(order.begin() + job.first_position, order.begin() + job.first_position + n);
    batch.frame_indices.resize(static_cast<size_t>(n));
    for (size_t i = 0; i < static_cast<size_t>(n); ++i)
      batch.labels[i] = dataset.items[static_cast<size_t>(batch.items[i])].label;
    jobs.push_back(std::move(job));
    return true;
  }

  /// The job with the next clip to make; opens a batch if the queue is not full. Called under the lock.
  Job* find_work() {
    for (Job& job : jobs)
      if (job.taken < job.clips()) return &job;
    if (finished || static_cast<int>(jobs.size()) >= settings.queue) return nullptr;
    finished = !open_job();
    if (finished) ready.notify_all();
    return finished ? nullptr : &jobs.back();
  }

  void run_worker() {
    try {
      make_clips();
    } catch (...) {  // for want of memory, say: next() throws it
      const std::lock_guard lock(mutex);
      if (!broken) broken = std::current_exception();
      ready.notify_all();
    }
  }

  void make_clips() {
    ClipReader reader;
    const ClipSettings how{settings.sampler, settings.transform, settings.mode, settings.views,
                           settings.single_frame};
    std::unique_lock lock(mutex);
    while (true) {
      Job* job = nullptr;
      work.wait(lock, [&] { return stopping || (job = find_work()) != nullptr; });
      if (stopping) return;
      const int slot = job->taken++;
      Batch& batch = *job->batch;  // stays valid, whatever happens to the deque
      const ClipSeed seed{settings.seed, batch.epoch, job->first_position + slot,
                          batch.items[static_cast<size_t>(slot)]};
      lock.unlock();
      std::exception_ptr failure{};
      try {
        const auto position = static_cast<size_t>(seed.item);
        const DatasetItem& item = dataset.items[position];
        const auto index = cache.get(item, position, &stopping);
        if (!settings.fingerprints.empty()) require_same_clip(item, settings.fingerprints[position]);
        std::vector<int64_t>& frames = batch.frame_indices[static_cast<size_t>(slot)];
        if (batch.placed.empty()) {
          float* const out = batch.clips.data() + slot * (batch.shape.count() / batch.shape.n);
          reader.read(item, *index, how, seed, &stopping, out, frames);
        } else {
          reader.place(item, *index, how, seed, &stopping, batch.placed[static_cast<size_t>(slot)], frames);
        }
      } catch (const Canceled&) {
        return;
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      finish_clip(batch, slot, failure);
    }
  }

  void finish_clip(const Batch& batch, int slot, const std::exception_ptr& failure) {
    Job& job = *std::ranges::find_if(jobs, [&](const Job& j) { return j.batch.get() == &batch; });
    ++job.done;
    if (failure && (job.failed < 0 || slot < job.failed)) job.failed = slot, job.failure = failure;
    if (job.done == job.clips()) ready.notify_all();
  }
};

Loader::Loader(const Dataset& dataset, std::vector<int> items, LoaderSettings settings) {
  validate(settings);
  if (items.empty())
    throw Error(dataset.root.string() + ": there are no clips to load", "Choose a split that has clips.");
  for (const int item : items)
    require(item >= 0 && item < static_cast<int>(dataset.items.size()),
            "Loader: an item outside the dataset");
  require(settings.fingerprints.empty() || settings.fingerprints.size() == dataset.items.size(),
          "Loader: fingerprints of another dataset");
  state_ = std::make_unique<State>(dataset, std::move(items), std::move(settings));
  if (state_->settings.on_bad_file != OnBadFile::exclude) return;
  state_->exclude_bad_files();
  if (state_->items.empty())
    throw Error(text(dataset.root.string(), ": none of ", state_->bad.size(),
                     " files can be read; the first: ", state_->bad.front().reason));
}

Loader::~Loader() { state_->stop(); }

int64_t Loader::batches_per_epoch() const { return state_->batches(); }
int64_t Loader::clips() const { return static_cast<int64_t>(state_->items.size()); }
std::vector<BadFile> Loader::bad_files() const { return state_->bad; }

void Loader::start(int64_t epoch, int64_t index, bool one_epoch) {
  State& s = *state_;
  require(epoch >= 0 && index >= 0 && index <= s.batches(), "Loader::start: no such position");
  s.stop();
  s.next_epoch = epoch, s.next_index = index, s.one_epoch = one_epoch;
  s.finished = false;
  s.ended_by = s.broken = nullptr;
  s.waited = 0;
  try {
    for (int i = 0; i < s.settings.workers; ++i) s.workers.start([&s] { s.run_worker(); });
  } catch (...) {
    s.stop();
    throw;
  }
}

std::shared_ptr<const Batch> Loader::next() {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  if (s.ended_by) std::rethrow_exception(s.ended_by);
  const auto begin = std::chrono::steady_clock::now();
  const auto there = [&] {
    if (s.broken) return true;
    if (s.jobs.empty()) return s.finished;
    return s.jobs.front().done == s.jobs.front().clips();
  };
  constexpr std::chrono::milliseconds kGlance{50};  // a signal handler can set a flag, but wake nobody
  while (!s.ready.wait_for(lock, kGlance, there))
    if (s.told_to_stop()) {
      s.finished = true;
      s.ended_by = std::make_exception_ptr(Canceled{});
      lock.unlock();
      s.stop();
      throw Canceled{};
    }
  s.waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (s.broken) {
    s.finished = true;
    s.ended_by = as_fault(s.broken, s.batch_bytes());
    lock.unlock();
    s.stop();
    std::rethrow_exception(s.ended_by);
  }
  if (s.jobs.empty()) return nullptr;
  Job job = std::move(s.jobs.front());
  s.jobs.pop_front();
  if (job.failure) {
    s.finished = true;
    s.ended_by = as_fault(job.failure, s.batch_bytes());
    s.pool->give_back(std::move(job.batch));
    lock.unlock();
    s.stop();
    std::rethrow_exception(s.ended_by);
  }
  lock.unlock();
  s.work.notify_all();
  return {job.batch.release(), [pool = s.pool](const Batch* batch) {
            pool->give_back(std::unique_ptr<Batch>(const_cast<Batch*>(batch)));
          }};
}

double Loader::seconds_waited() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waited;
}

std::vector<uint8_t> to_rgb(const Batch& batch, int sample, int frame, const TransformSettings& settings) {
  const Shape& shape = batch.shape;
  require(sample >= 0 && sample < shape.n && frame >= 0 && frame < shape.t && batch.placed.empty(),
          "to_rgb: no such frame in the batch");
  std::vector<uint8_t> rgb(static_cast<size_t>(shape.h * shape.w * 3));
  const float* const from = batch.clips.data() + shape.index(sample, frame, 0, 0, 0);
  for (size_t i = 0; i < rgb.size(); ++i) {
    const float value = (from[i] * settings.std[i % 3] + settings.mean[i % 3]) * 255;
    rgb[i] = static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f)));
  }
  return rgb;
}

}  // namespace laban
