// Dataset -> sampler -> decode workers -> bounded queue -> batch.
//
// The clip made for position p of epoch e is a pure function of (seed, e, item, p): neither the number of
// workers nor an interruption changes it. Batches come out in order.
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

namespace laban {

/// What a file that cannot be read does to the run. Never is another clip put in its place.
enum class OnBadFile {
  /// next() throws its FileError when its batch's turn comes. Files are looked at when they are first needed.
  stop,
  /// The constructor looks through every file, leaves out those that fail, and lists them in bad_files(); the
  /// loader then is what it
  /// would be without them: full batches, fewer of them. A file that fails later (it changed, or its disk
  /// failed) stops the run.
  exclude,
};

struct LoaderSettings {
  SamplerSettings sampler;
  TransformSettings transform;
  SampleMode mode = SampleMode::train;
  int batch = 8;
  bool shuffle = true;    // a new order in every epoch
  bool balance = false;   // every class equally often (data/epoch_order.h)
  bool drop_last = true;  // leave out the last, smaller batch
  int workers = 2;
  int queue = 4;  // batches decoded ahead, at most
  uint64_t seed = 1;
  /// Test and validate: how many clips of each item there are, spread evenly over its length. Epoch e shows
  /// view e mod views of every item.
  int views = 1;
  bool single_frame = false;  // control: every frame of a clip replaced by one of its frames
  /// Hand out frames as decoded (Batch::placed), where the device makes pixels faster than these threads.
  /// Where colors are augmented, batches hold pixels all the same.
  bool placed = false;
  /// Where the clips of batches lie: memory of a backend's (train/staging_memory.h), which must outlive all
  /// batches; null: the heap.
  std::pmr::memory_resource* staging = nullptr;
  OnBadFile on_bad_file = OnBadFile::stop;
  /// Where the indices of videos are kept from run to run (VideoIndexStore): `packets`, or, where that is empty,
  /// packet_store_file(the dataset's root), or user_packet_store_file() of it. UsageError where `packets` is
  /// something else than a file of indices.
  bool keep_packets = false, packets_beside = true;
  std::filesystem::path packets{};
  /// Where it becomes true, the constructor throws Canceled (watch.h), and so does next() instead of waiting
  /// for a batch: in the middle of a file, too.
  const std::atomic<bool>* stop = nullptr;
  /// exclude: called while files are looked through, one call at a time, from any thread; may be empty.
  std::function<void(int64_t done, int64_t of)> on_check;
};

class Loader : public BatchSource {
 public:
  /// `dataset` must outlive the loader. UsageError for settings that cannot work; Error where there are no
  /// items, or, with `exclude`, none that can be read.
  Loader(const Dataset& dataset, std::vector<int> items, LoaderSettings settings);
  ~Loader() override;  // stops workers promptly
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches_per_epoch() const override;
  int64_t clips() const override;
  void start(int64_t epoch, int64_t index, bool one_epoch) override;
  /// Throws the first failing clip's FileError when its batch's turn comes, and again at every later call.
  /// The batch's buffers return to the loader's pool when the shared_ptr goes, which may be after the
  /// loader's end.
  std::shared_ptr<const Batch> next() override;
  double seconds_waited() const override;
  std::vector<BadFile> bad_files() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A frame of a batch as people see it: undoes the normalization. crop x crop x 3 bytes, R, G, B.
std::vector<uint8_t> to_rgb(const Batch& batch, int sample, int frame, const TransformSettings& settings);

}  // namespace laban
