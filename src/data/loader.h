// Dataset -> sampler -> decode workers -> bounded queue -> batch.
//
// The clip made for position p of epoch e is a pure function of (seed, e, item, p): neither the number of
// workers nor an interruption changes it. Batches come out in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/sampler.h"
#include "data/transforms.h"

namespace laban {

enum class OnBadFile {
  stop,     // the first file that fails ends the run with its FileError
  exclude,  // leave it out from then on, count and report it
};

struct LoaderSettings {
  SamplerSettings sampler;
  TransformSettings transform;
  SampleMode mode = SampleMode::train;
  int batch = 8;
  bool shuffle = true;         // a new order in every epoch
  bool drop_last = true;       // leave out the last, smaller batch
  int workers = 2;
  int queue = 4;               // batches decoded ahead, at most
  uint64_t seed = 1;
  bool single_frame = false;   // control: every frame of a clip replaced by one of its frames
  OnBadFile on_bad_file = OnBadFile::stop;
};

struct BadFile {
  std::string file, reason;
};

struct Batch {
  int64_t epoch = 0, index = 0;       // position: resume with Loader::start(epoch, index + 1)
  Shape shape;                        // n, 3, t, h, w
  std::vector<float> clips;           // NTHWC
  std::vector<int32_t> labels;        // n
  std::vector<int> items;             // n: positions in Dataset::items
  std::vector<std::vector<int64_t>> frame_indices;  // n: which frames were taken
};

class Loader {
 public:
  Loader(const Dataset& dataset, std::vector<int> items, LoaderSettings settings);
  ~Loader();  // stops workers promptly

  int64_t batches_per_epoch() const;
  /// Starts (or restarts) decoding from batch `index` of `epoch`; goes on through later epochs until stopped, or to the end of
  /// `epoch` where `one_epoch`.
  void start(int64_t epoch, int64_t index, bool one_epoch);
  /// The next batch in order; empty at the end. Throws FileError where a file fails and the policy is stop.
  /// The batch's buffers return to the loader's pool when the shared_ptr goes.
  std::shared_ptr<const Batch> next();
  /// Seconds that next() waited since start().
  double seconds_waited() const;
  std::vector<BadFile> bad_files() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laban
