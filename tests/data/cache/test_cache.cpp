// A downscaled copy of a dataset: the same clips, shards complete or absent, and never wrong pictures.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "core/error.h"
#include "core/sha256.h"
#include "data/cache/cache.h"
#include "data/check/check.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"

using namespace laban;
using namespace laban::test;
using doctest::Contains;
namespace fs = std::filesystem;

namespace {

/// Two classes of two clips; a limited-range video, a full-range one, one with a range, a folder of pictures.
Dataset small_dataset(const fs::path& root) {
  make_video(root / "a/one.mp4", {.width = 96, .height = 64, .frames = 12, .gop = 5});
  make_video(root / "a/two.mp4", {.width = 64, .height = 96, .frames = 9, .first = 3, .full_range = true});
  make_video(root / "b/three.mp4", {.width = 96, .height = 64, .frames = 20});
  for (int i = 0; i < 5; ++i) write_bytes(root / ("b/four/" + std::to_string(i) + ".bmp"), tiny_bmp());
  Dataset dataset = open_dataset(root, {.split = {.train = 1, .val = 0}});
  for (DatasetItem& item : dataset.items)
    if (item.name.find("three") != std::string::npos) item.range = {.first = 4, .count = 10};
  return dataset;
}

constexpr CacheSettings kSmall{.short_side = 32, .clips_per_shard = 3, .workers = 2};

CacheResult cached(const Dataset& dataset, const fs::path& folder, const CacheSettings& settings = kSmall) {
  CacheResult result;
  REQUIRE(make_cache(dataset, folder, settings, {}, result));
  return result;
}

/// A clip of all frames of an item, made as evaluation makes it, 24 pixels square.
std::vector<float> clip_of(const DatasetItem& item, std::vector<int64_t>& frames) {
  const auto index = index_item(item, Trust::long_tables, nullptr);
  ClipSettings how;
  how.mode = SampleMode::test;
  how.sampler = {.frames = static_cast<int>(index->frame_count())};
  how.transform = {.short_side_min = 24, .short_side_max = 24, .crop = 24};
  std::vector<float> out(static_cast<size_t>(index->frame_count()) * 24 * 24 * 3);
  ClipReader().read(item, *index, how, {}, nullptr, out.data(), frames);
  return out;
}

void flip_bit(const fs::path& file, size_t at) {
  std::vector<unsigned char> bytes = bytes_of(file);
  bytes[at] ^= 0x10;
  write_bytes(file, bytes);
}

}  // namespace

TEST_CASE("a cache is a dataset of the same clips, frames and colors") {
  const Folder folder("cache");
  const Dataset dataset = small_dataset(folder.path() / "videos");
  for (const ShardCoding coding : {ShardCoding::jpeg, ShardCoding::raw}) {
    CAPTURE(static_cast<int>(coding));
    const fs::path copy = folder.path() / (coding == ShardCoding::raw ? "raw" : "jpeg");
    CacheSettings settings = kSmall;
    settings.coding = coding;
    const CacheResult result = cached(dataset, copy, settings);
    CHECK(result.clips == 4);
    CHECK(result.shards == 2);
    const Dataset again = open_dataset(copy, {});
    CHECK(again.classes == dataset.classes);
    REQUIRE(again.items.size() == dataset.items.size());
    for (size_t i = 0; i < again.items.size(); ++i) {
      const DatasetItem &from = dataset.items[i], &to = again.items[i];
      CAPTURE(from.name);
      CHECK(to.name == from.name);
      CHECK(to.label == from.label);
      CHECK(to.group == from.group);
      CHECK(to.split == from.split);
      CHECK(to.kind == ItemKind::cached);
      std::vector<int64_t> frames, same_frames;
      const std::vector<float> source = clip_of(from, frames), shrunk = clip_of(to, same_frames);
      CHECK(frames == same_frames);
      REQUIRE(source.size() == shrunk.size());
      double sum = 0;
      for (size_t k = 0; k < source.size(); ++k) sum += std::abs(source[k] - shrunk[k]);
      // Shrinking twice blurs the edge; JPEG adds a little. In gray levels of 255:
      CHECK(sum / static_cast<double>(source.size()) * 0.225 * 255 < 3);
    }
    CHECK(index_item(again.items[0], Trust::long_tables, nullptr)->shown_height() <= 48);
  }
}

TEST_CASE("a video of variable rate is sampled by the clock, from the file and from its cache") {
  const Folder folder("clock");
  MadeVideo how{.frames = 40};
  how.hold.assign(30, 1), how.hold.insert(how.hold.end(), 10, 6);  // 25 frames a second, then 4.17
  for (const char* file : {"a/x.mkv", "b/x.mp4", "b/y.mkv"}) {
    fs::create_directories((folder.path() / "videos" / file).parent_path());
    if (std::string(file) == "b/y.mkv") how.hold.clear();
    make_video(folder.path() / "videos" / file, how);
  }
  const Dataset dataset = open_dataset(folder.path() / "videos", {.split = {.train = 1, .val = 0}});
  const fs::path copy = folder.path() / "cache";
  cached(dataset, copy, kSmall);
  const Dataset shrunk = open_dataset(copy, {});
  ClipSettings settings;
  settings.mode = SampleMode::test;
  settings.sampler = {.kind = SamplerKind::dense, .frames = 4, .fps = 5};
  settings.transform = {.short_side_min = 24, .short_side_max = 24, .crop = 24};
  for (const Dataset* from : {&dataset, &shrunk})
    for (const DatasetItem& item : from->items) {
      CAPTURE(item.name);
      const auto index = index_item(item, Trust::long_tables, nullptr);
      std::vector<float> out(size_t{4} * 24 * 24 * 3);
      std::vector<int64_t> frames;
      ClipReader().read(item, *index, settings, {}, nullptr, out.data(), frames);
      const bool constant = item.name.ends_with("y.mkv");
      CHECK(index->frame_times().empty() == constant);
      // 1.38, 1.58, 1.78, 1.98 seconds; frame 30 comes at 1.20 and every one lasts 0.24. At a constant 25 frames a
      // second, every fifth in the middle.
      CHECK(frames ==
            (constant ? std::vector<int64_t>{12, 17, 22, 27} : std::vector<int64_t>{30, 31, 32, 33}));
    }
}

TEST_CASE("checksums are those of the files") {
  const Folder folder("cache-sums");
  cached(small_dataset(folder.path() / "videos"), folder.path() / "copy");
  std::ifstream sums(folder.path() / "copy/checksums.sha256");
  std::string hash, name;
  int files = 0;
  while (sums >> hash >> name) {
    const auto bytes = bytes_of(folder.path() / "copy" / name);
    Sha256 sha;
    sha.update(bytes.data(), bytes.size());
    CHECK(sha.hex() == hash);
    ++files;
  }
  CHECK(files == 2);
}

TEST_CASE("an interrupted cache goes on where it was; a changed clip is made again") {
  const Folder folder("cache-resume");
  const fs::path copy = folder.path() / "copy";
  const Dataset dataset = small_dataset(folder.path() / "videos");
  CacheSettings one_by_one = kSmall;
  one_by_one.clips_per_shard = 1, one_by_one.workers = 1;
  CacheResult result;
  CHECK_FALSE(make_cache(
      dataset, copy, one_by_one, [](int64_t done, int64_t) { return done < 3; }, result));
  CHECK_FALSE(fs::exists(copy / kIndexFile));
  for (const fs::directory_entry& entry : fs::directory_iterator(copy))
    CHECK(entry.path().extension() == kShardExtension);

  CHECK(cached(dataset, copy, one_by_one).kept_shards == 2);
  const auto index = bytes_of(copy / kIndexFile);
  CHECK(cached(dataset, copy, one_by_one).kept_shards == 4);
  CHECK(bytes_of(copy / kIndexFile) == index);
  CacheSettings larger = one_by_one;
  larger.short_side = 40;
  CHECK(cached(dataset, copy, larger).kept_shards == 0);

  const fs::path video = folder.path() / "videos/a/one.mp4";
  make_video(video, {.width = 96, .height = 64, .frames = 15});
  fs::last_write_time(video, fs::last_write_time(video) + std::chrono::seconds(2));
  CHECK(cached(dataset, copy, larger).kept_shards == 3);
  CHECK(index_item(open_dataset(copy, {}).items[0], Trust::long_tables, nullptr)->frame_count() == 15);
}

TEST_CASE("a damaged shard is made again, never kept and given a new checksum") {
  const Folder folder("cache-again");
  const fs::path copy = folder.path() / "copy", shard = copy / "shard-00000.labanshard";
  const Dataset dataset = small_dataset(folder.path() / "videos");
  CHECK(cached(dataset, copy).damaged_shards.empty());
  const auto whole = bytes_of(shard), sums = bytes_of(copy / "checksums.sha256");
  for (const size_t at : {size_t{5}, whole.size() / 3, whole.size() / 2, whole.size() - 60}) {
    CAPTURE(at);
    flip_bit(shard, at);
    const CacheResult result = cached(dataset, copy);
    CHECK(result.kept_shards == 1);
    REQUIRE(result.damaged_shards.size() == 1);
    CHECK(result.damaged_shards[0].file == shard.string());
    CHECK(result.damaged_shards[0].reason.find("damaged") != std::string::npos);
    CHECK(result.clips == 4);
    CHECK(bytes_of(shard) == whole);
    CHECK(bytes_of(copy / "checksums.sha256") == sums);
  }
  CHECK(cached(dataset, copy).kept_shards == 2);
}

TEST_CASE("bad files stop the cache or are left out") {
  const Folder folder("cache-bad");
  const Dataset dataset = small_dataset(folder.path() / "videos");
  write_bytes(folder.path() / "videos/a/two.mp4", {1, 2, 3});
  CacheResult result;
  CHECK_THROWS_WITH_AS(make_cache(dataset, folder.path() / "copy", kSmall, {}, result), Contains("two.mp4"),
                       FileError);
  CHECK_FALSE(fs::exists(folder.path() / "copy" / kIndexFile));
  CacheSettings excluding = kSmall;
  excluding.on_bad_file = OnBadFile::exclude;
  result = cached(dataset, folder.path() / "copy", excluding);
  CHECK(result.clips == 3);
  REQUIRE(result.bad_files.size() == 1);
  CHECK(open_dataset(folder.path() / "copy", {}).items.size() == 3);
}

TEST_CASE("a clip that fails in its middle is left out whole; the others are not touched") {
  const Folder folder("cache-middle");
  const Dataset dataset = small_dataset(folder.path() / "videos");
  // Only the first picture of a folder is looked at before the others are read.
  write_bytes(folder.path() / "videos/b/four/3.bmp", {'B', 'M', 1});
  CacheSettings excluding = kSmall;
  excluding.on_bad_file = OnBadFile::exclude;
  const CacheResult result = cached(dataset, folder.path() / "copy", excluding);
  CHECK(result.clips == 3);
  REQUIRE(result.bad_files.size() == 1);
  CHECK(fs::path(result.bad_files[0].file).filename() == "3.bmp");
  const Dataset again = open_dataset(folder.path() / "copy", {});
  for (const DatasetItem& item : again.items) {
    std::vector<int64_t> frames;
    CHECK_NOTHROW(clip_of(item, frames));
  }
}

TEST_CASE("a picture that changed makes its folder's shard anew") {
  const Folder folder("cache-pictures");
  const fs::path copy = folder.path() / "copy", picture = folder.path() / "videos/b/four/3.bmp";
  const Dataset dataset = small_dataset(folder.path() / "videos");
  CHECK(cached(dataset, copy).kept_shards == 0);
  CHECK(cached(dataset, copy).kept_shards == 2);
  fs::last_write_time(picture, fs::last_write_time(picture) + std::chrono::seconds(2));
  CHECK(cached(dataset, copy).kept_shards == 1);
  // The second clip of a shard, behind one that is as it was.
  const fs::path video = folder.path() / "videos/a/two.mp4";
  fs::last_write_time(video, fs::last_write_time(video) + std::chrono::seconds(2));
  const CacheResult again = cached(dataset, copy);
  CHECK(again.kept_shards == 1);
  CHECK(again.clips == 4);
  CHECK(open_dataset(copy, {}).items.size() == 4);
}

TEST_CASE("a cache is checked clip by clip, as the files are") {
  const Folder folder("cache-checked");
  const fs::path copy = folder.path() / "copy";
  make_video(folder.path() / "videos/a/one.mp4", {.frames = 12});
  make_video(folder.path() / "videos/a/two.mp4", {.frames = 3, .first = 50});
  make_video(folder.path() / "videos/b/three.mp4", {.frames = 12, .first = 20});
  fs::copy(folder.path() / "videos/a/one.mp4", folder.path() / "videos/b/again.mp4");
  const Dataset dataset = open_dataset(folder.path() / "videos", {.split = {.train = 1, .val = 0}});
  cached(dataset, copy);
  const auto told = [&](const Dataset& d) {
    const CheckResult result = check_dataset(d, {.sampler = {.frames = 8}, .workers = 2});
    CHECK(result.complete);
    CHECK(result.files == 4);
    std::string all = std::to_string(result.frames);
    for (const Finding& f : result.findings)
      all += std::string(", ") + name_of(f.kind) + " " + d.items[static_cast<size_t>(f.item)].name;
    return all;
  };
  CHECK(told(dataset) == "39, short a/two.mp4, label-conflict b/again.mp4");
  CHECK(told(open_dataset(copy, {})) == told(dataset));
  flip_bit(copy / "shard-00000.labanshard", 300);
  CHECK(told(open_dataset(copy, {})) == "27, unreadable a/one.mp4, short a/two.mp4");
}

TEST_CASE("damage in a shard is found, wherever it is") {
  const Folder folder("cache-damage");
  const fs::path copy = folder.path() / "copy", shard = copy / "shard-00000.labanshard";
  cached(small_dataset(folder.path() / "videos"), copy);
  const Dataset dataset = open_dataset(copy, {});
  const auto whole = bytes_of(shard);
  const auto read_all = [&] {
    for (const DatasetItem& item : dataset.items) {
      std::vector<int64_t> frames;
      clip_of(item, frames);
    }
  };
  CHECK_NOTHROW(read_all());
  for (size_t at = 0; at < whole.size(); at += whole.size() / 60 + 1) {
    CAPTURE(at);
    flip_bit(shard, at);
    CHECK_THROWS_AS(read_all(), FileError);
    write_bytes(shard, whole);
  }
  for (const size_t length : {size_t{0}, size_t{10}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(shard, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    CHECK_THROWS_AS(read_all(), FileError);
  }
}

TEST_CASE("a shard that is cut short, or replaced, while it is in use is an error in words") {
  const Folder folder("cache-cut");
  const fs::path copy = folder.path() / "copy", file = copy / "shard-00000.labanshard";
  cached(small_dataset(folder.path() / "videos"), copy);
  const auto whole = bytes_of(file);
  const Shard shard(file);
  ShardReader reader;
  const ShardClip& clip = shard.clips().back();
  const std::vector<int64_t> last{clip.frame_count() - 1};
  const auto read = [&] { reader.read(shard, clip, last, [](int64_t, const Frame&) {}); };
  CHECK_NOTHROW(read());
  for (const uint64_t length : {uint64_t{0}, clip.offset.back() - 1, uint64_t{4096}}) {
    CAPTURE(length);
    fs::resize_file(file, std::min(length, clip.offset.back() - 1));
    CHECK_THROWS_WITH_AS(read(), Contains("was cut short while it was in use: it now has"), FileError);
    CHECK_THROWS_AS(static_cast<void>(shard.verify()), FileError);
    write_bytes(file, whole);
  }
  std::vector<unsigned char> longer(whole.size() + 1, 7);
  write_bytes(file, longer);
  CHECK_THROWS_WITH_AS(read(), Contains("has changed while it was in use"), FileError);
}

TEST_CASE("a cache over its own dataset, or of impossible settings, is refused") {
  const Folder folder("cache-refused");
  const Dataset dataset = small_dataset(folder.path());
  CacheResult result;
  CHECK_THROWS_WITH_AS(make_cache(dataset, folder.path(), kSmall, {}, result), Contains("the dataset itself"),
                       UsageError);
  CHECK_THROWS_AS(make_cache(dataset, folder.path() / "c", {.quality = 0}, {}, result), UsageError);
  CHECK_THROWS_AS(make_cache(dataset, folder.path() / "c", {.short_side = 1}, {}, result), UsageError);
}
