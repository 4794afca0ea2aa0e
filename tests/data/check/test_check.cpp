// Checking files and datasets: every problem must be found, and nothing else reported.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "core/error.h"
#include "data/check/check.h"
#include "data/made_clips.h"
#include "data/video/demuxer.h"
#include "data/video/video.h"
#include "data/video/watch.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

std::map<std::string, std::string> findings_of(const fs::path& file, ItemKind kind = ItemKind::video) {
  std::map<std::string, std::string> found;
  for (const FileFinding& finding : examine({.path = file, .kind = kind}, nullptr).findings)
    found[name_of(finding.kind)] = finding.detail;
  return found;
}

/// Exactly this finding, with this in its words.
void finds(const fs::path& file, const std::string& kind, const std::string& words,
           ItemKind item = ItemKind::video) {
  const auto found = findings_of(file, item);
  CAPTURE(file.string());
  CAPTURE(kind);
  REQUIRE(found.size() == 1);
  CHECK(found.begin()->first == kind);
  CAPTURE(found.begin()->second);
  CHECK(found.begin()->second.find(words) != std::string::npos);
}

void cut(const fs::path& from, const fs::path& to, double fraction) {
  std::vector<unsigned char> bytes = test::bytes_of(from);
  bytes.resize(static_cast<size_t>(static_cast<double>(bytes.size()) * fraction));
  test::write_bytes(to, bytes);
}

/// Where the four letters stand; throws where they do not.
size_t place_of(const std::vector<unsigned char>& bytes, const std::string& letters) {
  const auto at = std::search(bytes.begin(), bytes.end(), letters.begin(), letters.end());
  if (at == bytes.end()) throw std::runtime_error("no " + letters);
  return static_cast<size_t>(at - bytes.begin());
}

Dataset folder_of(const fs::path& root) { return open_dataset(root, {.keep_missing = true}); }

/// "kind clip, kind clip", in their order.
std::string told(const Dataset& dataset, const CheckResult& result) {
  std::string lines;
  for (const Finding& f : result.findings)
    lines += text(lines.empty() ? "" : ", ", name_of(f.kind), " ",
                  dataset.items[static_cast<size_t>(f.item)].name);
  return lines;
}

}  // namespace

TEST_CASE("one file: whole ones have no findings") {
  const test::Folder folder("whole");
  for (const char* extension : {"mp4", "mkv", "mov", "avi", "ts", "flv"}) {
    const fs::path file = folder.path() / (std::string("v.") + extension);
    test::make_video(file, {.frames = 30, .gop = 10});
    CAPTURE(extension);
    const FileReport report = examine({.path = file}, nullptr);
    CHECK(report.readable);
    CHECK(report.frames == 30);
    CHECK(report.findings.empty());
    CHECK(report.content.size() == 64);
  }
}

TEST_CASE("one file: cut off, damaged, without pictures, called what it is not") {
  const test::Folder folder("broken");
  const fs::path mp4 = folder.path() / "v.mp4", mkv = folder.path() / "v.mkv", ts = folder.path() / "v.ts";
  test::make_video(mp4, {.frames = 60, .gop = 10, .muxer_options = "movflags=faststart"});
  for (const auto& file : {mkv, ts}) test::make_video(file, {.frames = 60, .gop = 10});
  for (const double fraction : {0.5, 0.9}) {
    cut(mp4, folder.path() / "cut.mp4", fraction);
    finds(folder.path() / "cut.mp4", "truncated", "its header claims 60 frames, the file has ");
    cut(mkv, folder.path() / "cut.mkv", fraction);
    finds(folder.path() / "cut.mkv", "truncated", "ended prematurely");
  }
  // Where the table stands at the end, it is what was cut off.
  test::make_video(folder.path() / "end.mp4", {.frames = 60});
  cut(folder.path() / "end.mp4", folder.path() / "cut.mp4", 0.9);
  finds(folder.path() / "cut.mp4", "unreadable", "is not a readable video file");

  std::vector<unsigned char> bytes = test::bytes_of(mp4);
  for (size_t at = bytes.size() / 2; at < bytes.size() / 2 + 600; ++at)
    bytes[at] = static_cast<unsigned char>(at * 31);
  test::write_bytes(folder.path() / "hurt.mp4", bytes);
  const auto hurt = findings_of(folder.path() / "hurt.mp4");
  CHECK(hurt.contains("damaged"));

  test::write_bytes(folder.path() / "empty.mp4", {});
  finds(folder.path() / "empty.mp4", "unreadable", "the file is empty");
  finds(folder.path() / "none.mp4", "unreadable", "there is no such file");
  std::ofstream(folder.path() / "words.mp4") << "no video at all";
  finds(folder.path() / "words.mp4", "no-video", "is a text file, not a video");
  test::make_sound(folder.path() / "sound.wav");
  finds(folder.path() / "sound.wav", "no-video", "is a sound file (WAV), not a video");
  fs::copy(folder.path() / "sound.wav", folder.path() / "sound.mp4");
  finds(folder.path() / "sound.mp4", "no-video", "is a sound file (WAV), not a video");

  fs::copy(mkv, folder.path() / "matroska.mp4");
  finds(folder.path() / "matroska.mp4", "wrong-extension",
        "its extension is .mp4, but it is Matroska or WebM");
  fs::copy(mp4, folder.path() / "mp4.avi");
  finds(folder.path() / "mp4.avi", "wrong-extension", "its extension is .avi, but it is MP4");
  fs::copy(mp4, folder.path() / "v.unknown");  // an extension that promises nothing
  CHECK(findings_of(folder.path() / "v.unknown").empty());
}

TEST_CASE("one file: a header that claims more frames than there are does not make a whole file cut off") {
  const test::Folder folder("claims");
  const auto is_whole = [&](const fs::path& file, int64_t claimed, int64_t frames) {
    CAPTURE(file.string());
    CHECK(index_video(file)->setup->declared_frames == claimed);
    const FileReport report = examine({.path = file}, nullptr);
    CHECK(report.frames == frames);
    CHECK(report.findings.empty());
  };
  // AVI: the stream's header ("strh", its length, 32 bytes, then the count) counts ticks.
  const fs::path avi = folder.path() / "v.avi", mp4 = folder.path() / "v.mp4";
  test::make_video(avi, {.frames = 60, .gop = 10});
  std::vector<unsigned char> bytes = test::bytes_of(avi);
  bytes[place_of(bytes, "strh") + 8 + 32] = 120;
  test::write_bytes(avi, bytes);
  is_whole(avi, 120, 60);
  // MP4: an edit list ("elst", 4 bytes of version, a count, a duration, the first tick that is shown) that
  // begins at frame 25 leaves out what is not needed for it.
  test::make_video(mp4, {.frames = 60, .gop = 10, .b_frames = 0, .muxer_options = "movflags=faststart"});
  bytes = test::bytes_of(mp4);
  const size_t begins = place_of(bytes, "elst") + 4 + 12, lasts = place_of(bytes, "stts") + 4 + 12;
  const auto number = [&](size_t at) {
    return bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
  };
  const int first = number(begins) + 25 * number(lasts);
  for (int i = 0; i < 4; ++i) bytes[begins + i] = static_cast<unsigned char>(first >> (24 - 8 * i));
  test::write_bytes(mp4, bytes);
  is_whole(mp4, 60, 35);
  // Cut off, they are told all the same, wherever it was.
  for (const fs::path& file : {avi, mp4})
    for (const double fraction : {0.6, 0.8, 0.99}) {
      const fs::path part = folder.path() / ("cut" + file.extension().string());
      cut(file, part, fraction);
      CAPTURE(fraction);
      CHECK(findings_of(part).contains("truncated"));
    }
}

TEST_CASE("one file: cut off between two packets") {
  const test::Folder folder("between");
  const auto ends_at = [&](const char* extension, size_t length) {
    const fs::path part = folder.path() / (std::string("cut") + extension);
    std::vector<unsigned char> bytes = test::bytes_of(folder.path() / (std::string("v") + extension));
    bytes.resize(length);
    test::write_bytes(part, bytes);
    CAPTURE(part.string());
    CHECK(findings_of(part).contains("truncated"));
  };
  for (const char* extension : {".avi", ".mkv", ".mp4"})
    test::make_video(folder.path() / (std::string("v") + extension),
                     {.frames = 60,
                      .gop = 10,
                      .b_frames = 0,
                      .muxer_options = extension == std::string(".mp4") ? "movflags=faststart" : ""});
  const std::vector<unsigned char> avi = test::bytes_of(folder.path() / "v.avi");
  const std::string picture = "00dc";
  const auto chunk = std::find_end(avi.begin(), avi.end() - static_cast<std::ptrdiff_t>(avi.size() / 3),
                                   picture.begin(), picture.end());
  ends_at(".avi", static_cast<size_t>(chunk - avi.begin()));
  ends_at(".avi", place_of(avi, "idx1"));  // all pictures are there, and the rest is not
  const std::vector<unsigned char> mkv = test::bytes_of(folder.path() / "v.mkv");
  // The index of key frames; the file's beginning has its name too.
  const std::string cues = "\x1c\x53\xbb\x6b";
  ends_at(".mkv", static_cast<size_t>(std::find_end(mkv.begin(), mkv.end(), cues.begin(), cues.end(),
                                                    [](unsigned char x, char y) {
                                                      return x == static_cast<unsigned char>(y);
                                                    }) -
                                      mkv.begin()));
  size_t total = 0;
  const auto index = index_video(folder.path() / "v.mp4");
  for (size_t i = 0; i < 40; ++i) total += static_cast<size_t>(index->packets[i].bytes);
  // Behind "mdat" come the packets, one after the other.
  ends_at(".mp4", place_of(test::bytes_of(folder.path() / "v.mp4"), "mdat") + 4 + total);
  test::make_video(folder.path() / "v.mov",
                   {.frames = 60, .gop = 10, .muxer_options = "movflags=frag_keyframe+empty_moov"});
  ends_at(".mov", test::bytes_of(folder.path() / "v.mov").size() * 2 / 3);
}

TEST_CASE("one file: unequal times, turned pictures") {
  const test::Folder folder("rates");
  test::make_video(folder.path() / "v.mkv", {.frames = 30, .hold = {1, 1, 3}});
  finds(folder.path() / "v.mkv", "variable-rate", "frames are shown for 40 to 120 ms");
  test::make_video(folder.path() / "late.mkv", {.frames = 30, .first_ms = 4000});
  CHECK(findings_of(folder.path() / "late.mkv").empty());
  const fs::path clips = fs::path(LABAN_SOURCE_DIR) / ".." / "shared" / "clips";
  if (!fs::exists(clips)) {
    MESSAGE("SKIPPED: no real clips at " << clips.string());
    return;
  }
  finds(clips / "decord__video_90.mov", "rotated", "players rotate it by 90 degrees clockwise");
  finds(clips / "streamio__awesome'movie.mov", "variable-rate", "ms");
  CHECK(findings_of(clips / "oh264__Error_I_P.264").at("size-change") ==
        "from 352x288 to 640x480 at frame 2");
  for (const char* fine : {"moviepy__chaplin.mp4", "ax__sample_fragmented.mp4",
                           "tc__discard_first_keyframe.mp4", "ax__sample_partially_fragmented.mp4"})
    CHECK(findings_of(clips / fine).empty());
}

TEST_CASE("folders of pictures: gaps, broken pictures, other formats than their names say") {
  const test::Folder folder("pictures_checked");
  const auto bmp = test::tiny_bmp();
  for (const char* name : {"a/1.bmp", "a/2.bmp", "a/4.bmp"}) test::write_bytes(folder.path() / name, bmp);
  finds(folder.path() / "a", "missing-frames", "2.bmp is followed by 4.bmp", ItemKind::frame_folder);
  for (const char* name : {"b/0.jpg", "b/5.png", "b/10.bmp"}) test::write_bytes(folder.path() / name, bmp);
  finds(folder.path() / "b", "wrong-extension", "0.jpg is BMP, and 1 more pictures", ItemKind::frame_folder);
  test::write_bytes(folder.path() / "c/1.bmp", bmp);
  test::write_bytes(folder.path() / "c/2.bmp", {'B', 'M', 1});
  finds(folder.path() / "c", "unreadable", "2.bmp", ItemKind::frame_folder);
  // A broken picture, even the first, hides nothing of the others.
  for (const char* name : {"d/2.bmp", "d/3.jpg", "d/6.bmp"}) test::write_bytes(folder.path() / name, bmp);
  for (const char* name : {"d/1.bmp", "d/7.bmp"}) test::write_bytes(folder.path() / name, {'B', 'M', 1});
  auto found = findings_of(folder.path() / "d", ItemKind::frame_folder);
  CHECK(found.size() == 3);
  CHECK(found["unreadable"].find("1.bmp: ") != std::string::npos);
  CHECK(found["unreadable"].ends_with(", and 1 more pictures are broken"));
  CHECK(found["missing-frames"] == "3.jpg is followed by 6.bmp");
  CHECK(found["wrong-extension"] == "3.jpg is BMP");
  CHECK_FALSE(examine({.path = folder.path() / "d", .kind = ItemKind::frame_folder}, nullptr).readable);
}

TEST_CASE("folders that were meant as clips are told, not overlooked") {
  const test::Folder root("meant_checked");
  for (const char* name : {"tango/a.mp4", "waltz/b.mp4", "waltz/dir.mp4/c.mp4"})
    test::make_video(root.path() / name, {.frames = 9, .first = name[6]});
  for (const char* name : {"salsa/one/1.bmp", "salsa/deep/two/1.bmp"})
    test::write_bytes(root.path() / name, test::tiny_bmp());
  fs::create_directories(root.path() / "tango/dir.mp4");
  test::write_bytes(root.path() / "tango/x.mkv/notes.txt", {'x'});
  fs::create_directories(root.path() / "tango/leftover");
  fs::create_directories(root.path() / "salsa/empty");
  const Dataset d = folder_of(root.path());
  CHECK(d.ignored == std::vector<std::string>{"tango/leftover", "tango/x.mkv/notes.txt"});
  const CheckResult result = check_dataset(d, {.sampler = {.frames = 1}});
  std::map<std::string, std::string> unreadable;
  for (const Finding& f : result.findings)
    if (f.kind == FindingKind::unreadable) unreadable[d.items[static_cast<size_t>(f.item)].name] = f.detail;
  CHECK(unreadable == std::map<std::string, std::string>{
                          {"salsa/empty", "the folder contains no JPEG, PNG or BMP pictures"},
                          {"tango/dir.mp4", "is not a regular file, but a folder"},
                          {"tango/x.mkv", "is not a regular file, but a folder"}});
  CHECK(result.files == 8);
}

TEST_CASE("a dataset: duplicates, leaks, conflicts, short and missing clips, sources in several splits") {
  const test::Folder root("dataset_checked");
  test::make_video(root.path() / "one.mp4", {.frames = 30});
  test::make_video(root.path() / "two.mkv", {.frames = 30, .first = 5});
  test::make_video(root.path() / "short.mp4", {.frames = 7, .first = 40});
  fs::copy(root.path() / "one.mp4", root.path() / "again.mp4");
  fs::copy(root.path() / "one.mp4", root.path() / "other class.mp4");
  fs::copy(root.path() / "two.mkv", root.path() / "leaked.mkv");
  // The same packets in another container.
  test::make_video(root.path() / "two.avi", {.frames = 30, .first = 200});
  std::ofstream(root.path() / "split.csv")
      << "path,label,split,group\none.mp4,x,train,g1\nagain.mp4,x,train,g2\nother "
         "class.mp4,y,train,g3\ntwo.mkv,y,train,g4\n"
         "leaked.mkv,y,test,g5\nshort.mp4,y,val,g6\ntwo.avi,x,test,g6\ngone.mp4,x,val,g7\n";
  const Dataset d = folder_of(root.path());
  int64_t called = 0, last = 0;
  const CheckResult result =
      check_dataset(d, {.sampler = {.frames = 8}, .workers = 3, .progress = [&](int64_t done, int64_t of) {
                          CHECK(of == 8);
                          ++called;
                          last = done;
                        }});
  CHECK(called == 8);
  CHECK(last == 8);
  CHECK(result.complete);
  CHECK(told(d, result) ==
        "unreadable gone.mp4, short short.mp4, duplicate one.mp4, leak two.mkv, label-conflict other "
        "class.mp4, shared-source short.mp4");
  CHECK(result.problems() == 5);
  CHECK(result.count(FindingKind::leak) == 1);
  CHECK(result.frames == 6 * 30 + 7);
  const auto leak = std::ranges::find(result.findings, FindingKind::leak, &Finding::kind);
  CHECK(leak->detail == "in train, but same content as leaked.mkv in test");
  CHECK(d.items[static_cast<size_t>(leak->other)].name == "leaked.mkv");
}

TEST_CASE(
    "a dataset: stretches of one file are decoded once, compared where they overlap, and must lie in it") {
  const test::Folder root("stretches_checked");
  test::make_video(root.path() / "v.mp4", {.frames = 40});
  std::ofstream(root.path() / "train.txt") << "v.mp4 0 19 a\nv.mp4 30 39 b\n";
  std::ofstream(root.path() / "test.txt") << "v.mp4 10 25 a\nv.mp4 35 40 b\n";
  const Dataset d = open_dataset(root.path(), {.split = {.val = 0}});
  const CheckResult result = check_dataset(d, {.sampler = {.frames = 8}});
  CHECK(result.files == 1);
  CHECK(told(d, result) == "missing-frames v.mp4[35-40], leak v.mp4[10-25], shared-source v.mp4[0-19]");
}

TEST_CASE("a check that is stopped says so, and compares nothing") {
  const test::Folder root("stopped");
  for (const char* name : {"a/1.mp4", "a/2.mp4", "b/3.mp4"})
    test::make_video(root.path() / name, {.frames = 5});
  std::atomic<bool> stop{true};
  const Dataset d = folder_of(root.path());
  const CheckResult result = check_dataset(d, {.stop = &stop});
  CHECK_FALSE(result.complete);
  CHECK(result.files == 0);
  CHECK(result.findings.empty());
}
