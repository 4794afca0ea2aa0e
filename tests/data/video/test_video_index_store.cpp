// Video indices kept between runs: the same index is returned, never a stale or broken one.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"
#include "data/video/demuxer.h"
#include "data/video/index_code.h"
#include "data/video/video_index_store.h"

using namespace laban;
using namespace laban::test;
namespace fs = std::filesystem;

namespace {

void check_same(const VideoIndex& a, const VideoIndex& b) {
  CHECK(a.width == b.width);
  CHECK(a.height == b.height);
  CHECK(a.size_change == b.size_change);
  CHECK(a.rotation == b.rotation);
  CHECK(a.mirror == b.mirror);
  CHECK(a.fps == b.fps);
  CHECK(a.tick == b.tick);
  CHECK(a.exact_packets == b.exact_packets);
  CHECK(a.verified == b.verified);
  CHECK(a.decode_errors == b.decode_errors);
  CHECK(a.damaged_frames == b.damaged_frames);
  CHECK(a.first_error == b.first_error);
  CHECK(a.read_error == b.read_error);
  CHECK(a.packet_of_frame == b.packet_of_frame);
  REQUIRE(a.packets.size() == b.packets.size());
  for (size_t i = 0; i < a.packets.size(); ++i) {
    const VideoPacket &p = a.packets[i], &q = b.packets[i];
    const bool same = p.pts == q.pts && p.bytes == q.bytes && p.key == q.key && p.restart == q.restart &&
                      p.disposable == q.disposable && p.hidden == q.hidden;
    CHECK_MESSAGE(same, "packet ", i);
  }
}

std::span<const std::byte> bytes_in(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

TEST_CASE("an index survives being packed, and opens the file without probing") {
  const Folder folder("packed");
  const fs::path file = folder.path() / "a.mp4";
  make_video(file, {.frames = 30, .gop = 12, .first_ms = 120});
  const auto index = index_video(file);
  const std::string packed = encode_index(*index);
  MESSAGE("30 frames take ", packed.size(), " bytes");
  const auto again = decode_index(bytes_in(packed));
  REQUIRE(again);
  check_same(*index, *again);
  CHECK(again->setup->codec == index->setup->codec);
  CHECK(again->setup->header_suffices == index->setup->header_suffices);
  CHECK(again->setup->parameters->extradata_size == index->setup->parameters->extradata_size);

  // The shades that made frames show tell that the right ones came out.
  std::vector<int64_t> seen;
  read_video(file, *again, std::vector<int64_t>{3, 17, 29}, [&](int64_t k, const Frame& frame) {
    seen.push_back(k);
    CHECK(std::abs(frame.plane[0][frame.stride[0] * 20 + 10] - shade_of(static_cast<int>(k))) < 25);
  });
  CHECK(seen == std::vector<int64_t>{3, 17, 29});
}

TEST_CASE("bytes that are no index are none") {
  const Folder folder("unpacked");
  const fs::path file = folder.path() / "a.mp4";
  make_video(file, {.frames = 9});
  const std::string packed = encode_index(*index_video(file));
  for (size_t length = 0; length < packed.size(); ++length)
    CHECK(decode_index(bytes_in(packed).first(length)) == nullptr);
  CHECK(decode_index(bytes_in(packed + "x")) == nullptr);
}

TEST_CASE("an index that says what no video is like is none") {
  const Folder folder("hostile");
  const fs::path file = folder.path() / "a.mp4";
  make_video(file, {.frames = 9});
  const auto index = index_video(file);
  REQUIRE(index->exact_packets);
  const auto refused = [&](const auto& change) {
    VideoIndex changed = *index;
    auto setup = std::make_shared<StreamSetup>();
    setup->parameters.reset(avcodec_parameters_alloc());
    avcodec_parameters_copy(setup->parameters.get(), index->setup->parameters.get());
    change(changed, *setup);
    changed.setup = std::move(setup);
    const std::string packed = encode_index(changed);
    return decode_index(bytes_in(packed)) == nullptr;
  };
  CHECK_FALSE(refused([](VideoIndex&, StreamSetup&) {}));
  // libav hands on numbers that have no name; they come back as they were.
  CHECK_FALSE(refused([](VideoIndex&, StreamSetup& s) {
    const int unnamed = 129;
    std::memcpy(&s.parameters->color_space, &unnamed, sizeof unnamed);
  }));
  CHECK(refused([](VideoIndex& v, StreamSetup&) { v.rotation = 45; }));
  CHECK(refused([](VideoIndex& v, StreamSetup&) { v.fps = std::nan(""); }));
  CHECK(refused([](VideoIndex& v, StreamSetup&) { v.packet_of_frame[3] = -1; }));
  CHECK(refused([](VideoIndex& v, StreamSetup&) { v.packet_of_frame[3] = v.packet_of_frame[4]; }));
  CHECK(refused([](VideoIndex& v, StreamSetup&) { v.packet_of_frame[3] = 9; }));
  CHECK(refused([](VideoIndex& v, StreamSetup&) { v.packet_of_frame[3] = INT32_MIN; }));
  const auto damaged = [](VideoIndex& v, bool verified) {
    v.exact_packets = false;
    v.verified = verified;
    v.packet_of_frame[3] = -1;
  };
  CHECK_FALSE(refused([&](VideoIndex& v, StreamSetup&) { damaged(v, true); }));
  CHECK(refused([&](VideoIndex& v, StreamSetup&) { damaged(v, false); }));
  CHECK(refused([](VideoIndex&, StreamSetup& s) { s.stream = -1; }));
  CHECK(refused([](VideoIndex&, StreamSetup& s) { s.parameters->codec_type = AVMEDIA_TYPE_AUDIO; }));
  CHECK(refused([](VideoIndex&, StreamSetup& s) { s.parameters->codec_id = AV_CODEC_ID_MP3; }));
}

TEST_CASE("a store gives back what it was given, for as long as the file is the same") {
  const Folder folder("store");
  const fs::path file = folder.path() / "nöt a \"plain\"\nname.mp4", store_file = folder.path() / ".packets";
  make_video(file, {.frames = 12});
  const auto index = index_video(file);
  const FileStamp stamp = *stamp_of(file);
  {
    VideoIndexStore store(store_file, folder.path());
    CHECK(store.find(file, stamp) == nullptr);
    store.add(file, stamp, *index);
    REQUIRE(store.find(file, stamp));
    CHECK(store.save() == "");
    REQUIRE(store.find(file, stamp));
    check_same(*store.find(file, stamp), *index);
  }
  const VideoIndexStore later(store_file, folder.path());
  REQUIRE(later.find(file, stamp));
  check_same(*later.find(file, stamp), *index);

  SUBCASE("other size, other time") {
    CHECK(later.find(file, {stamp.bytes + 1, stamp.changed}) == nullptr);
    CHECK(later.find(file, {stamp.bytes, stamp.changed + 1}) == nullptr);
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));
    CHECK(later.find(file, *stamp_of(file)) == nullptr);
  }
  SUBCASE("a dataset that was moved") {
    const Folder other("store-moved");
    fs::copy(store_file, other.path() / ".packets");
    const VideoIndexStore moved(other.path() / ".packets", other.path());
    CHECK(moved.find(other.path() / file.filename(), stamp));
  }
  SUBCASE("a store that is cut short while it is in use has lost its entries, no more") {
    VideoIndexStore cut(store_file, folder.path());
    REQUIRE(cut.find(file, stamp));
    fs::resize_file(store_file, 50);
    CHECK(cut.find(file, stamp) == nullptr);
    cut.add(folder.path() / "one.mp4", {1, 1}, *index);
    CHECK(cut.save() == "");
    CHECK(VideoIndexStore(store_file, folder.path()).find(folder.path() / "one.mp4", {1, 1}));
  }
  SUBCASE("two programs at once lose nothing of each other") {
    VideoIndexStore one(store_file, folder.path()), two(store_file, folder.path());
    one.add(folder.path() / "one.mp4", {1, 1}, *index);
    two.add(folder.path() / "two.mp4", {2, 2}, *index);
    CHECK(one.save() == "");
    CHECK(two.save() == "");
    CHECK(VideoIndexStore(store_file, folder.path()).size() == 3);
  }
}

TEST_CASE("a store that lies nowhere works for as long as it lives") {
  const Folder folder("store-nowhere");
  const fs::path file = folder.path() / "a.mp4";
  make_video(file, {.frames = 5});
  IndexCache cache(1, Trust::nothing);
  const DatasetItem item{.path = file, .name = "a"};
  CHECK(cache.get(item, 0, nullptr)->frame_count() == 5);
  CHECK(cache.get(item, 0, nullptr)->frame_count() == 5);
}

TEST_CASE("a broken store is an empty one") {
  const Folder folder("store-broken");
  const fs::path file = folder.path() / "a.mp4", store_file = folder.path() / ".packets";
  make_video(file, {.frames = 12});
  const FileStamp stamp = *stamp_of(file);
  const auto index = index_video(file);
  {
    VideoIndexStore store(store_file, folder.path());
    store.add(file, stamp, *index);
  }
  const std::vector<unsigned char> whole = bytes_of(store_file);
  // Whatever byte is wrong: either the index comes back as it was, or none does.
  int found = 0;
  for (size_t i = 0; i < whole.size(); i += 3) {
    std::vector<unsigned char> broken = whole;
    broken[i] ^= 0x41;
    write_bytes(store_file, broken);
    const VideoIndexStore store(store_file, folder.path());
    if (const auto known = store.find(file, stamp)) ++found, check_same(*known, *index);
  }
  CHECK(found == 0);
  for (size_t length = 0; length < whole.size(); length += 7) {
    write_bytes(store_file, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    CHECK(VideoIndexStore(store_file, folder.path()).size() == 0);
  }
}

TEST_CASE("a store that cannot be written says why and still works") {
  const Folder folder("store-unwritable");
  const fs::path file = folder.path() / "a.mp4";
  make_video(file, {.frames = 5});
  write_bytes(folder.path() / "plain", {1});
  VideoIndexStore store(folder.path() / "plain" / "below", folder.path());
  store.add(file, *stamp_of(file), *index_video(file));
  CHECK(store.save() != "");
  CHECK(store.find(file, *stamp_of(file)));
}

TEST_CASE("a store in the working folder is written there") {
  const Folder folder("store-relative");
  make_video(folder.path() / "a.mp4", {.frames = 5});
  const auto index = index_video(folder.path() / "a.mp4");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  std::string said;
  {
    VideoIndexStore store("packets", {});
    store.add("a.mp4", *stamp_of("a.mp4"), *index);
    said = store.save();
  }
  fs::current_path(before);
  CHECK(said == "");
  CHECK(VideoIndexStore(folder.path() / "packets", folder.path()).size() == 1);
}

TEST_CASE("a store does not take the place of something else, and is known by its bytes") {
  const Folder folder("store-foreign");
  const fs::path file = folder.path() / "a.mp4", other = folder.path() / ".laban-packets";
  make_video(file, {.frames = 5});
  CHECK(!has_index_store(folder.path()));
  write_bytes(other, {'m', 'i', 'n', 'e'});
  {
    VideoIndexStore store(other, folder.path());
    store.add(file, *stamp_of(file), *index_video(file));
    CHECK(store.save().find("is not an index of videos that laban wrote") != std::string::npos);
    CHECK(store.find(file, *stamp_of(file)));
  }
  CHECK(bytes_of(other) == std::vector<unsigned char>{'m', 'i', 'n', 'e'});
  CHECK(!has_index_store(folder.path()));
  CHECK_THROWS_AS(require_index_store(other), UsageError);
  CHECK_THROWS_AS(require_index_store(folder.path()), UsageError);
  fs::remove(other);
  {
    VideoIndexStore store(other, folder.path());
    store.add(file, *stamp_of(file), *index_video(file));
  }
  CHECK(has_index_store(folder.path()));
}

TEST_CASE("the index cache looks through a file once, and again when it changed") {
  const Folder folder("store-cache");
  const fs::path file = folder.path() / "a.mp4", store_file = folder.path() / ".packets";
  make_video(file, {.frames = 10});
  const DatasetItem item{.path = file, .name = "a.mp4"};
  CHECK(IndexCache(1, Trust::nothing, store_file, folder.path()).get(item, 0, nullptr)->frame_count() == 10);
  CHECK(VideoIndexStore(store_file, folder.path()).size() == 1);
  make_video(file, {.frames = 14});
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(2));
  CHECK(IndexCache(1, Trust::nothing, store_file, folder.path()).get(item, 0, nullptr)->frame_count() == 14);
  fs::remove(file);
  CHECK_THROWS_AS(IndexCache(1, Trust::nothing, store_file, folder.path()).get(item, 0, nullptr), FileError);
}
