// Dataset -> sampler -> decode workers -> bounded queue -> batch.
//
// The clip at position p of epoch e is a pure function of (seed, e, item, p): neither the number of workers
// nor an interruption changes it. Batches are delivered in order.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/clip/geometry.h"
#include "data/clip/sampler.h"
#include "data/dataset/dataset.h"
#include "data/load/batch_source.h"
#include "data/load/clip_fingerprint.h"

namespace laban {

/// How a file that cannot be read is handled. It is never replaced by another clip.
enum class OnBadFile {
  /// next() throws its FileError when its batch is due. Files are examined when they are first needed.
  stop,
  /// The constructor indexes every file, leaves out those that fail, and lists them in bad_files(). The
  /// loader then behaves as if they did not exist: full batches, but fewer of them. A file that fails later
  /// (because it changed, or its disk failed) stops the run.
  exclude,
};

struct LoaderSettings {
  SamplerSettings sampler;
  TransformSettings transform;
  SampleMode mode = SampleMode::train;
  int batch = 8;
  bool shuffle = true;    // a new order in every epoch
  bool balance = false;   // every class equally often (epoch_order.h)
  bool drop_last = true;  // leave out the last, smaller batch
  int workers = 2;
  int queue = 4;  // at most this many batches are decoded ahead
  uint64_t seed = 1;
  /// Test and validation: the number of clips per item, spread evenly over its length. Epoch e shows view e
  /// mod views of every item.
  int views = 1;
  bool single_frame = false;  // control: every frame of a clip replaced by one of its frames
  /// Deliver frames as decoded (Batch::placed), for a device that converts them to pixels faster than these
  /// threads. If colors are augmented, batches contain pixels nevertheless.
  bool placed = false;
  /// The memory for the clips in batches: a backend's (train/staging_memory.h), which must outlive all
  /// batches; null: the heap.
  std::pmr::memory_resource* staging = nullptr;
  OnBadFile on_bad_file = OnBadFile::stop;
  /// Whether video indices are kept between runs (VideoIndexStore): in `index_file`, or, if that is empty, in
  /// index_store_file(the dataset's root), or in its user_index_store_file(). UsageError if `index_file` is
  /// something other than a file of indices.
  bool keep_index = false, index_beside = true;
  std::filesystem::path index_file{};
  /// If this becomes true, the constructor throws Canceled (watch.h), and so does next() instead of waiting for
  /// a batch, even in the middle of a file.
  const std::atomic<bool>* stop = nullptr;
  /// The dataset's clips as they were when the work began, by position in Dataset::items: one that has changed
  /// since is a FileError when it is read. Empty: not compared.
  std::vector<ClipFingerprint> fingerprints{};
  /// exclude: called while files are indexed, one call at a time, from any thread; may be empty.
  std::function<void(int64_t done, int64_t of)> on_check;
};

/// The file in which a loader with these settings keeps the indices of the dataset's videos; empty: in none. UsageError
/// if settings.index_file is something else.
std::filesystem::path index_store_of(const Dataset& dataset, const LoaderSettings& settings);

class Loader : public BatchSource {
 public:
  /// `dataset` must outlive the loader. UsageError for invalid settings; Error if there are no items, or,
  /// with `exclude`, none that can be read.
  Loader(const Dataset& dataset, std::vector<int> items, LoaderSettings settings);
  ~Loader() override;  // stops workers promptly
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches_per_epoch() const override;
  int64_t clips() const override;
  void start(int64_t epoch, int64_t index, bool one_epoch) override;
  /// Throws the first failing clip's FileError when its batch is due, and again on every later call. The
  /// batch's buffers return to the loader's pool when the shared_ptr is destroyed, which may be after the
  /// loader.
  std::shared_ptr<const Batch> next() override;
  double seconds_waited() const override;
  std::vector<BadFile> bad_files() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A frame of a batch for display: undoes the normalization. crop x crop x 3 bytes, R, G, B.
std::vector<uint8_t> to_rgb(const Batch& batch, int sample, int frame, const TransformSettings& settings);

}  // namespace laban
