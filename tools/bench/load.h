// What `laban bench load` measures: how fast clips are made of a dataset's files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/load/loader.h"

namespace laban::tools {

struct LoadResult {
  int64_t clips = 0;
  double seconds = 0, cpu_seconds = 0;  // of the clips; the processor's time over all threads
  double index_seconds = 0;             // to look through all files before
  size_t bad_files = 0;
  std::vector<int64_t> resident_bytes;  // of the process, at each tenth of the clips
  int64_t peak_bytes = 0;
  std::string sha256;  // of labels, frame numbers and pixels in the order of the clips

  double clips_per_second() const { return static_cast<double>(clips) / seconds; }
  double cpu_seconds_per_clip() const { return cpu_seconds / static_cast<double>(clips); }
};

/// Looks through the items' files, then makes `clips` clips of them, going through the items again and again.
/// `hash` also computes the checksum, whose time then counts.
LoadResult bench_load(const Dataset& dataset, const std::vector<int>& items, LoaderSettings settings,
                      int64_t clips, bool hash);

}  // namespace laban::tools
