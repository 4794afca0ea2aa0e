// The loader: a pure function of its settings, whatever the number of threads; errors in order; prompt stops;
// reused buffers.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <memory>
#include <memory_resource>
#include <new>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/machine_error.h"
#include "data/cache/cache.h"
#include "data/load/clip_reader.h"
#include "data/load/loader.h"
#include "data/made_clips.h"
#include "data/video/watch.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

LoaderSettings small_settings() {
  LoaderSettings s;
  s.sampler = {.frames = 6, .frames_per_segment = 2};
  s.transform = {.short_side_min = 20, .short_side_max = 28, .crop = 16};
  s.batch = 4;
  s.workers = 2;
  s.queue = 2;
  return s;
}

/// Twelve clips of two classes, made once for all tests of this file.
const Dataset& clips() {
  static const test::Folder folder("loader");
  static const Dataset dataset = [] {
    for (int i = 0; i < 12; ++i) {
      const fs::path file = folder.path() / (i % 2 ? "up" : "down") / ("clip" + std::to_string(i) + ".mp4");
      test::make_video(file, {.width = 48, .height = 32, .frames = 8 + i, .first = 10 * i});
    }
    return open_dataset(folder.path(), {});
  }();
  return dataset;
}

std::vector<int> all_items(const Dataset& dataset) {
  std::vector<int> items(dataset.items.size());
  for (size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int>(i);
  return items;
}

std::vector<Batch> take(Loader& loader, int64_t epoch, int64_t index, size_t count, bool one_epoch = false) {
  loader.start(epoch, index, one_epoch);
  std::vector<Batch> batches;
  while (batches.size() < count) {
    const auto batch = loader.next();
    if (!batch) break;
    batches.push_back(*batch);
  }
  return batches;
}

void check_equal(const Batch& a, const Batch& b) {
  CHECK(a.epoch == b.epoch);
  CHECK(a.index == b.index);
  CHECK(a.shape == b.shape);
  CHECK(a.clips == b.clips);
  CHECK(a.labels == b.labels);
  CHECK(a.items == b.items);
  CHECK(a.frame_indices == b.frame_indices);
}

}  // namespace

TEST_CASE("batches do not depend on the number of workers, the queue, or where one resumes") {
  LoaderSettings s = small_settings();
  Loader one(clips(), all_items(clips()), [&] {
    s.workers = 1;
    s.queue = 1;
    return s;
  }());
  Loader many(clips(), all_items(clips()), [&] {
    s.workers = 7;
    s.queue = 5;
    return s;
  }());
  const std::vector<Batch> a = take(one, 0, 0, 7), b = take(many, 0, 0, 7);
  REQUIRE(a.size() == 7);
  REQUIRE(b.size() == 7);
  for (size_t i = 0; i < 7; ++i) {
    check_equal(a[i], b[i]);
    CHECK(a[i].epoch == static_cast<int64_t>(i / 3));
    CHECK(a[i].index == static_cast<int64_t>(i % 3));
  }
  // Epochs differ, in order and in what is drawn.
  CHECK(a[0].items != a[3].items);
  // Resumed in the middle of the second epoch, after one abandoned half way.
  const std::vector<Batch> resumed = take(many, 1, 2, 2);
  check_equal(resumed[0], a[5]);
  check_equal(resumed[1], a[6]);
}

TEST_CASE("an epoch shows every clip once; the last smaller batch is dropped or not") {
  LoaderSettings s = small_settings();
  s.batch = 5;
  Loader dropping(clips(), all_items(clips()), s);
  CHECK(dropping.batches_per_epoch() == 2);
  CHECK(take(dropping, 0, 0, 100, true).size() == 2);
  s.drop_last = false;
  s.shuffle = false;
  s.mode = SampleMode::test;
  Loader whole(clips(), all_items(clips()), s);
  const std::vector<Batch> batches = take(whole, 0, 0, 100, true);
  REQUIRE(batches.size() == 3);
  CHECK(batches[2].shape == Shape{.n = 2, .c = 3, .t = 6, .h = 16, .w = 16});
  std::vector<int> seen;
  for (const Batch& batch : batches)
    for (size_t i = 0; i < batch.items.size(); ++i) {
      seen.push_back(batch.items[i]);
      CHECK(batch.labels[i] == clips().items[static_cast<size_t>(batch.items[i])].label);
    }
  CHECK(seen == all_items(clips()));
  CHECK_FALSE(whole.next());  // and stays at the end
}

TEST_CASE("single frame: every frame of a clip is one of its frames") {
  LoaderSettings s = small_settings();
  for (const SampleMode mode : {SampleMode::train, SampleMode::test}) {
    s.mode = mode;
    s.single_frame = false;
    Loader moving(clips(), all_items(clips()), s);
    s.single_frame = true;
    Loader still(clips(), all_items(clips()), s);
    const std::vector<Batch> a = take(moving, 0, 0, 3), b = take(still, 0, 0, 3);
    std::set<size_t> chosen;
    for (size_t i = 0; i < 3; ++i)
      for (size_t n = 0; n < 4; ++n) {
        const std::vector<int64_t>&from = a[i].frame_indices[n], &got = b[i].frame_indices[n];
        CHECK(std::set<int64_t>(got.begin(), got.end()).size() == 1);
        const auto at = std::ranges::find(from, got[0]);
        REQUIRE(at != from.end());
        chosen.insert(static_cast<size_t>(at - from.begin()));
        if (mode == SampleMode::test) CHECK(got[0] == from[3]);
        const int64_t frame = 16 * 16 * 3;
        const float* clip = b[i].clips.data() + static_cast<int64_t>(n) * 6 * frame;
        for (int64_t t = 1; t < 6; ++t) CHECK(std::equal(clip, clip + frame, clip + t * frame));
      }
    if (mode == SampleMode::train) CHECK(chosen.size() > 2);
  }
}

TEST_CASE("a broken file: stop names the first one in order; exclude leaves it out and says so") {
  const test::Folder folder("loader_bad");
  for (int i = 0; i < 8; ++i)
    test::make_video(folder.path() / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.frames = 6});
  for (const char* name : {"b/clip2.mp4", "a/clip5.mp4"})
    std::ofstream(folder.path() / name) << "this is no video at all";
  std::ofstream(folder.path() / "a/clip7.mp4").close();
  const Dataset dataset = open_dataset(folder.path(), {});
  LoaderSettings s = small_settings();
  s.batch = 2;
  s.shuffle = false;
  for (const int workers : {1, 5}) {
    s.workers = workers;
    s.on_bad_file = OnBadFile::stop;
    Loader stopping(dataset, all_items(dataset), s);
    stopping.start(0, 0, true);
    CHECK(stopping.next());  // a/clip1, a/clip3
    for (int again = 0; again < 2; ++again) {
      try {
        stopping.next();
        FAIL("no error");
      } catch (const FileError& error) {
        CHECK(fs::path(error.file()).filename() == "clip5.mp4");
      }
    }
    stopping.start(0, 0, true);  // and it can be started again
    CHECK(stopping.next());

    s.on_bad_file = OnBadFile::exclude;
    int64_t checked = 0;
    s.on_check = [&](int64_t done, int64_t of) {
      CHECK(of == 8);
      checked = std::max(checked, done);
    };
    Loader excluding(dataset, all_items(dataset), s);
    CHECK(checked == 8);
    CHECK(excluding.clips() == 5);
    CHECK(excluding.batches_per_epoch() == 2);
    std::vector<std::string> names;
    for (const BadFile& bad : excluding.bad_files()) {
      names.push_back(fs::path(bad.file).filename().string());
      CHECK(bad.reason.find(bad.file) != std::string::npos);
    }
    CHECK(names == std::vector<std::string>{"clip5.mp4", "clip7.mp4", "clip2.mp4"});
    const std::vector<Batch> batches = take(excluding, 0, 0, 10, true);
    REQUIRE(batches.size() == 2);
    for (const Batch& batch : batches) CHECK(batch.shape.n == 2);
  }
}

TEST_CASE("a clip that is replaced under its name is not read: video, pictures, shard") {
  const test::Folder folder("loader_replaced");
  const fs::path videos = folder.path() / "videos", others = folder.path() / "others";
  for (int i = 0; i < 4; ++i)
    for (const fs::path& root : {videos, others})
      test::make_video(root / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                       {.width = 48, .height = 32, .frames = 8, .first = root == videos ? i : 40 + i});
  for (int i = 0; i < 8; ++i) {
    test::write_bytes(videos / "a/pictures" / (std::to_string(i) + ".bmp"), test::tiny_bmp());
    auto negative = test::tiny_bmp();
    negative.back() ^= 0xff;
    test::write_bytes(others / "a/pictures" / (std::to_string(i) + ".bmp"), negative);
  }
  CacheResult result;
  for (const fs::path& root : {videos, others}) {
    fs::path shards = root;
    REQUIRE(make_cache(open_dataset(root, {}), shards += "-cached", {.short_side = 32, .workers = 1}, {},
                       result));
  }
  const auto shards_of = [](fs::path root) { return root += "-cached"; };
  LoaderSettings s = small_settings();
  s.batch = 5;
  s.shuffle = false;
  const auto copy_over = [](const fs::path& from, const fs::path& to) {
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  };
  for (const bool cached : {false, true}) {
    const fs::path root = cached ? shards_of(videos) : videos, other = cached ? shards_of(others) : others;
    const Dataset dataset = open_dataset(root, {});
    REQUIRE(dataset.items.size() == 5);
    s.fingerprints = fingerprint_clips(dataset, all_items(dataset), 3);
    CHECK(s.fingerprints == fingerprint_clips(dataset, all_items(dataset), 1));
    CHECK(fingerprints_from(to_text(s.fingerprints)).value() == s.fingerprints);
    Loader loader(dataset, all_items(dataset), s);
    CHECK(take(loader, 0, 0, 1).size() == 1);
    for (const DatasetItem& item : dataset.items) {
      CAPTURE(item.name);
      const fs::path kept = folder.path() / "kept";
      copy_over(item.path, kept);
      copy_over(other / fs::relative(item.path, root), item.path);
      CHECK_THROWS_WITH_AS(take(loader, 1, 0, 1), doctest::Contains("has changed since the run began"),
                           FileError);
      Loader fresh(dataset, all_items(dataset), s);  // which has not read the old one
      CHECK_THROWS_WITH_AS(take(fresh, 0, 0, 1), doctest::Contains("has changed since the run began"),
                           FileError);
      copy_over(kept, item.path);
      fs::remove_all(kept);
      if (!cached) CHECK(take(loader, 2, 0, 1).size() == 1);  // what it was, with a new time
    }
  }
}

TEST_CASE("buffers are reused, and outlive the loader") {
  std::shared_ptr<const Batch> kept;
  {
    LoaderSettings s = small_settings();
    s.queue = 2;
    Loader loader(clips(), all_items(clips()), s);
    loader.start(0, 0, false);
    std::set<const float*> places;
    for (int i = 0; i < 30; ++i) places.insert(loader.next()->clips.data());
    CHECK(places.size() <= 4);  // two in the queue, one with the caller, one on its way back
    kept = loader.next();
  }
  CHECK(kept->clips.size() == static_cast<size_t>(kept->shape.count()));
}

TEST_CASE("stops in mid-flight, restarts, and never waits for unread batches") {
  Loader loader(clips(), all_items(clips()), small_settings());
  for (int i = 0; i < 20; ++i) {
    loader.start(i, 0, i % 2 == 0);
    if (i % 3) CHECK(loader.next()->epoch == i);
  }
  CHECK(loader.seconds_waited() >= 0);
}

TEST_CASE("the stop flag is heard in the middle of a file") {
  const test::Folder folder("loader_stop");
  test::make_endless_video(folder.path() / "a" / "v.ts");
  test::make_endless_video(folder.path() / "b" / "v.ts");
  const Dataset dataset = open_dataset(folder.path(), {.split = {.train = 1, .val = 0}});
  for (const OnBadFile policy : {OnBadFile::stop, OnBadFile::exclude}) {
    std::atomic<bool> stop{false};
    LoaderSettings settings = small_settings();
    settings.batch = 1;
    settings.on_bad_file = policy;
    settings.stop = &stop;
    std::thread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      stop = true;
    });
    const auto begin = std::chrono::steady_clock::now();
    const auto load = [&] {
      Loader loader(dataset, all_items(dataset), settings);
      loader.start(0, 0, true);
      CHECK_THROWS_AS(loader.next(), Canceled);
      loader.next();  // again
    };
    CHECK_THROWS_AS(load(), Canceled);
    later.join();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  }
}

namespace {

/// Memory that runs out after so many bytes.
class LittleMemory : public std::pmr::memory_resource {
 public:
  explicit LittleMemory(size_t bytes) : left_(bytes) {}

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    if (bytes > left_.load()) throw std::bad_alloc();
    left_ -= bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* data, size_t bytes, size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(data, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  std::atomic<size_t> left_;
};

/// While it lives, this process may have no more than `more` descriptors beyond those it has.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int next = ::dup(0);
    REQUIRE(next >= 0);
    ::close(next);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next) + more;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("memory that runs out in a worker is an error in words, not the end of the program") {
  const Dataset& dataset = clips();
  LoaderSettings s = small_settings();
  for (const bool placed : {false, true})
    for (const size_t bytes : {size_t{0}, size_t{1000}, size_t{100'000}}) {
      LittleMemory memory(bytes);
      s.placed = placed;
      s.staging = &memory;
      Loader loader(dataset, all_items(dataset), s);
      for (int again = 0; again < 2; ++again)
        CHECK_THROWS_WITH_AS(take(loader, 0, 0, 100),
                             doctest::Contains("out of memory while clips were read"), MachineError);
      CHECK_THROWS_AS(loader.next(), MachineError);
    }
}

TEST_CASE("a lack of descriptors is no fault of a clip: nothing is left out") {
  const test::Folder folder("descriptors");
  for (int i = 0; i < 4; ++i) {
    test::make_video(folder.path() / "videos/a" / ("clip" + std::to_string(i) + ".mp4"), {.frames = 6});
    for (int k = 0; k < 6; ++k)
      test::write_bytes(folder.path() / "videos/b" / std::to_string(i) / (std::to_string(k) + ".bmp"),
                        test::tiny_bmp());
  }
  CacheResult result;
  REQUIRE(make_cache(open_dataset(folder.path() / "videos", {}), folder.path() / "cached",
                     {.short_side = 32, .clips_per_shard = 2, .workers = 1}, {}, result));
  LoaderSettings s = small_settings();
  s.on_bad_file = OnBadFile::exclude;
  for (const char* root : {"videos", "cached"}) {
    CAPTURE(std::string(root));
    const Dataset dataset = open_dataset(folder.path() / root, {});
    {
      const FewDescriptors few(0);
      for (const DatasetItem& item : dataset.items) {
        CAPTURE(item.name);
        CHECK_THROWS_WITH_AS(
            index_item(item, Trust::nothing, nullptr),
            doctest::Contains("Too many open files (EMFILE). This is a fault of the machine"), MachineError);
      }
      CHECK_THROWS_AS(Loader(dataset, all_items(dataset), s), MachineError);
      CHECK_THROWS_AS(open_dataset(folder.path() / root, {}), Error);
      CHECK_THROWS_AS(fingerprint_clips(dataset, all_items(dataset), 2), MachineError);
    }
    Loader loader(dataset, all_items(dataset), s);
    CHECK(loader.bad_files().empty());
    const FewDescriptors few(0);
    CHECK_THROWS_AS(take(loader, 0, 0, 1), MachineError);
  }
}

TEST_CASE("settings and splits that cannot work are refused") {
  LoaderSettings s = small_settings();
  CHECK_THROWS_AS(Loader(clips(), {}, s), Error);
  s.batch = 0;
  CHECK_THROWS_AS(Loader(clips(), all_items(clips()), s), UsageError);
  s = small_settings();
  s.transform.crop = 21;
  CHECK_THROWS_AS(Loader(clips(), all_items(clips()), s), UsageError);
}

TEST_CASE("to_rgb undoes the normalization") {
  LoaderSettings s = small_settings();
  s.mode = SampleMode::test;
  s.shuffle = false;
  Loader loader(clips(), all_items(clips()), s);
  loader.start(0, 0, true);
  const auto batch = loader.next();
  const std::vector<uint8_t> rgb = to_rgb(*batch, 1, 2, s.transform);
  REQUIRE(rgb.size() == 16 * 16 * 3);
  const float* from = batch->clips.data() + batch->shape.index(1, 2, 0, 0, 0);
  for (size_t i = 0; i < rgb.size(); ++i)
    CHECK(std::abs((from[i] * 0.225f + 0.45f) * 255 - static_cast<float>(rgb[i])) <= 0.51f);
}
