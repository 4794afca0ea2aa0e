// A shrunken copy of a dataset, from which clips are made many times faster than from videos.
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
  int short_side = 128;  // pictures whose short side is longer are shrunk to it
  ShardCoding coding = ShardCoding::jpeg;
  int quality = 92;          // of JPEG, 1..100
  int clips_per_shard = 64;  // what an interruption can cost at most, for each worker
  int workers = 2;
  OnBadFile on_bad_file = OnBadFile::stop;
  const std::atomic<bool>* stop = nullptr;  // becomes true: it stops, in the middle of a clip too
};

struct CacheResult {
  int64_t clips = 0, shards = 0;
  int64_t kept_shards = 0;  // that were there already
  int64_t bytes = 0;        // of all shards
  std::vector<BadFile> bad_files;
  std::vector<BadFile> damaged_shards;  // that were there, damaged, and were made again
};

/// Told after every clip, from any thread, one call at a time; false stops.
using CacheProgress = std::function<bool(int64_t done, int64_t of)>;

/// Writes `folder`: shards, checksums.sha256 (for `sha256sum -c`), and last of all laban-index.csv, with
/// which it is a dataset of the same names, classes and splits. Shards that are there, of the same clips,
/// files and settings, are kept where every frame in them has its checksum, else made again; so it goes on
/// where it was interrupted. Every file is whole or not there. Throws FileError for a clip that cannot be
/// read (unless those are excluded) and for a disk that is full; UsageError for settings that cannot be, and
/// where the folder has a table or checksums of something else, which stay as they are. One process at a time
/// may fill a folder (FolderLock).
/// Returns false where `progress` or the flag stopped it: then there is no laban-index.csv yet.
bool make_cache(const Dataset& dataset, const std::filesystem::path& folder, const CacheSettings& settings,
                const CacheProgress& progress, CacheResult& result);

}  // namespace laban
