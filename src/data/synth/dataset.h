// A folder of synthetic dances, ready to be trained on.
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
/// sizes, version). Files appear whole or not at all (temporary name, fsync, rename); those that exist are
/// kept, so that a run that was stopped can be taken up again. `progress(done)` is called from one thread at
/// a time. Ends early, with `stopped`, soon after `stop` becomes true. The files do not depend on the number
/// of workers. Throws UsageError for an impossible plan, or where the folder holds a data set of another
/// plan; FileError where a file cannot be written.
DatasetResult write_dataset(const DatasetPlan& plan, const std::function<void(int done)>& progress,
                            const std::atomic<bool>& stop);

}  // namespace laban::synth
