// A folder of synthetic dances, ready for training.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>

namespace laban::synth {

struct DatasetPlan {
  std::filesystem::path folder;
  uint64_t seed = 1;
  int width = 160, height = 120;           // even
  std::array<int, 3> clips{400, 50, 150};  // train, val, test
  int workers = 1;

  int total() const { return clips[0] + clips[1] + clips[2]; }
};

struct DatasetResult {
  int made = 0, kept = 0;  // clips encoded now; clips found complete
  bool stopped = false;
};

/// Writes folder/<dance>/<split>_<number>.mp4, split.csv (path,label,split,group) and dataset.json (seed,
/// sizes, version). Files are either complete or absent (temporary name, fsync, rename); existing ones are
/// kept, so that an interrupted run can be continued. `progress(done)` is called from one thread at a time.
/// Ends early, with `stopped`, soon after `stop` becomes true. The files do not depend on the number of
/// workers. Throws UsageError for an invalid plan, or if the folder contains a dataset with another plan;
/// FileError if a file cannot be written.
DatasetResult write_dataset(const DatasetPlan& plan, const std::function<void(int done)>& progress,
                            const std::atomic<bool>& stop);

}  // namespace laban::synth
