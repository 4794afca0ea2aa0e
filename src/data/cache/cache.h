// A downscaled copy of a dataset, from which clips load many times faster than from videos.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "data/cache/shard.h"
#include "data/dataset/dataset.h"
#include "data/load/loader.h"

namespace laban {

struct CacheSettings {
  int short_side = 128;  // larger pictures are scaled down to this
  ShardCoding coding = ShardCoding::jpeg;
  int quality = 92;          // of JPEG, 1..100
  int clips_per_shard = 64;  // the most that each worker can lose by an interruption
  int workers = 2;
  OnBadFile on_bad_file = OnBadFile::stop;
  const std::atomic<bool>* stop = nullptr;  // when true, it stops, even in the middle of a clip
};

struct CacheResult {
  int64_t clips = 0, shards = 0;
  int64_t kept_shards = 0;  // that already existed
  int64_t bytes = 0;        // of all shards
  std::vector<BadFile> bad_files;
  std::vector<BadFile> damaged_shards;  // that existed, were damaged, and were rebuilt
};

/// Called after every clip, from any thread, one call at a time; returning false stops.
using CacheProgress = std::function<bool(int64_t done, int64_t of)>;

/// Writes `folder`: shards, checksums.sha256 (for `sha256sum -c`), and finally laban-index.csv, which makes
/// it a dataset with the same names, classes and splits. Existing shards of the same clips, files and
/// settings are kept if the checksum of every frame matches, else rebuilt; so an interrupted run can be
/// continued. Every file is either complete or absent. Throws FileError for a clip that cannot be read
/// (unless such clips are excluded) and for a full disk; UsageError for invalid settings, and if the folder
/// has a table or checksums of something else, which are not touched. Only one process at a time may fill a
/// folder (FolderLock). Returns false if `progress` or the flag stopped it: then there is no laban-index.csv
/// yet.
bool make_cache(const Dataset& dataset, const std::filesystem::path& folder, const CacheSettings& settings,
                const CacheProgress& progress, CacheResult& result);

}  // namespace laban
