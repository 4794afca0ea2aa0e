// The synthetic dances as files: their contents, reproducibility, and resuming an interrupted run.
#include <doctest/doctest.h>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset/dataset.h"
#include "data/synth/clip.h"
#include "data/synth/dataset.h"

using namespace laban;
using namespace laban::synth;
namespace fs = std::filesystem;

namespace {

const std::atomic<bool> kNever{false};

struct TemporaryFolder {
  fs::path path;
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "laban_synth_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

/// What plain libav, without laban's own decoder, finds in a file.
struct Decoded {
  int width = 0, height = 0;
  double rate = 0;
  std::string codec;
  int b_frames = 0;
  std::vector<std::vector<double>> luma;  // frame by frame
};

Decoded decode(const fs::path& file) {
  Decoded found;
  AVFormatContext* format = nullptr;
  REQUIRE(avformat_open_input(&format, file.c_str(), nullptr, nullptr) == 0);
  REQUIRE(avformat_find_stream_info(format, nullptr) >= 0);
  REQUIRE(format->nb_streams == 1);
  AVStream* stream = format->streams[0];
  const AVCodec* codec = avcodec_find_decoder(stream->codecpar->codec_id);
  found.codec = codec->name;
  found.rate = av_q2d(stream->avg_frame_rate);
  AVCodecContext* context = avcodec_alloc_context3(codec);
  avcodec_parameters_to_context(context, stream->codecpar);
  REQUIRE(avcodec_open2(context, codec, nullptr) == 0);
  found.width = context->width, found.height = context->height;
  AVPacket* packet = av_packet_alloc();
  AVFrame* frame = av_frame_alloc();
  const auto drain = [&] {
    while (avcodec_receive_frame(context, frame) == 0) {
      found.b_frames += frame->pict_type == AV_PICTURE_TYPE_B;
      std::vector<double> rows;
      for (int y = 0; y < frame->height; ++y)
        for (int x = 0; x < frame->width; ++x) rows.push_back(frame->data[0][y * frame->linesize[0] + x]);
      found.luma.push_back(std::move(rows));
    }
  };
  while (av_read_frame(format, packet) == 0) {
    REQUIRE(avcodec_send_packet(context, packet) == 0);
    av_packet_unref(packet);
    drain();
  }
  avcodec_send_packet(context, nullptr);
  drain();
  av_frame_free(&frame);
  av_packet_free(&packet);
  avcodec_free_context(&context);
  avformat_close_input(&format);
  return found;
}

std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  return files;
}

DatasetPlan small_plan(const fs::path& folder) {
  DatasetPlan plan;
  plan.folder = folder;
  plan.seed = 4;
  plan.width = 64, plan.height = 48;
  plan.clips = {10, 0, 10};
  return plan;
}

}  // namespace

TEST_CASE("synth: a clip is an H.264 video with B-frames that shows what was drawn") {
  const TemporaryFolder folder;
  for (const int number : {3, 17}) {
    const Clip clip = draw_clip(1, Split::val, number, 160, 120);
    write_file(folder.path / "clip.mp4", encode_clip(clip, kNever));
    const Decoded found = decode(folder.path / "clip.mp4");
    CHECK(found.codec == "h264");
    CHECK(found.width == 160);
    CHECK(found.height == 120);
    CHECK(found.rate == doctest::Approx(clip.frames_per_second));
    REQUIRE(static_cast<int>(found.luma.size()) == clip.frames);
    CHECK(found.b_frames > clip.frames / 3);
    Canvas canvas(160, 120);
    for (const int frame : {0, clip.frames / 2, clip.frames - 1}) {
      clip.draw(frame, canvas);
      double squares = 0;
      for (int y = 0; y < 120; ++y)
        for (int x = 0; x < 160; ++x) {
          const double wanted = 16 + 219.0 * luma(canvas.at(x, y));
          const double difference =
              found.luma[static_cast<size_t>(frame)][static_cast<size_t>(y) * 160 + x] - wanted;
          squares += difference * difference;
        }
      CAPTURE(frame);
      CHECK(std::sqrt(squares / (160 * 120)) <
            5);  // gray levels of 219; another frame of the clip differs by more
    }
  }
}

TEST_CASE("synth: lengths and rates are those promised") {
  std::map<int, int> rates;
  for (int number = 0; number < 300; ++number) {
    const Clip clip = draw_clip(8, Split::train, number, 32, 32);
    ++rates[clip.frames_per_second];
    CHECK(clip.seconds(clip.frames) > 2.97);
    CHECK(clip.seconds(clip.frames) < 10.03);
  }
  CHECK(rates.size() == 3);
  for (const int rate : {24, 25, 30}) CHECK(rates[rate] > 60);
}

TEST_CASE("synth: the same seed gives the same bytes, another seed or split others") {
  const auto bytes = [](uint64_t seed, Split split) {
    return encode_clip(draw_clip(seed, split, 2, 64, 48), kNever);
  };
  const std::string once = bytes(1, Split::train);
  CHECK(once == bytes(1, Split::train));
  CHECK(once != bytes(2, Split::train));
  CHECK(once != bytes(1, Split::test));
}

TEST_CASE("synth: the folder does not depend on the number of workers, and is taken up where it was left") {
  const TemporaryFolder folder;
  DatasetPlan plan = small_plan(folder.path / "one");
  int last = 0;
  const DatasetResult first = write_dataset(
      plan, [&](int done) { CHECK(done == ++last); }, kNever);
  CHECK(first.made == 20);
  CHECK(first.kept == 0);
  CHECK(!first.stopped);
  CHECK(last == 20);
  const auto files = files_in(plan.folder);
  CHECK(files.size() == 22);
  CHECK(files.contains("tango/test_00008.mp4"));

  plan.folder = folder.path / "three";
  plan.workers = 3;
  write_dataset(plan, nullptr, kNever);
  CHECK(files_in(plan.folder) == files);

  // Taken up: what is there is kept as it is (marked here, to see it), what is missing is made again.
  write_file(plan.folder / "waltz/train_00009.mp4", "kept");
  fs::remove(plan.folder / "swing/test_00007.mp4");
  const DatasetResult again = write_dataset(plan, nullptr, kNever);
  CHECK(again.made == 1);
  CHECK(again.kept == 19);
  const auto repaired = files_in(plan.folder);
  CHECK(repaired.at("waltz/train_00009.mp4") == "kept");
  CHECK(repaired.at("swing/test_00007.mp4") == files.at("swing/test_00007.mp4"));

  // Readable as a data set.
  const Dataset dataset = open_dataset(folder.path / "one", {});
  CHECK(dataset.classes == std::vector<std::string>(kDanceNames.begin(), kDanceNames.end()));
  CHECK(dataset.of(Split::train).size() == 10);
  CHECK(dataset.of(Split::test).size() == 10);
}

TEST_CASE("synth: stopping leaves whole files only") {
  const TemporaryFolder folder;
  const DatasetPlan plan = small_plan(folder.path / "dances");
  std::atomic<bool> stop{false};
  const DatasetResult result = write_dataset(
      plan, [&](int done) { stop = done == 3; }, stop);
  CHECK(result.stopped);
  CHECK(result.made == 3);
  int videos = 0;
  for (const auto& [name, bytes] : files_in(plan.folder)) {
    CHECK(!name.ends_with(".tmp"));
    videos += name.ends_with(".mp4");
  }
  CHECK(videos == 3);
  CHECK(encode_clip(draw_clip(1, Split::train, 0, 32, 32), stop).empty());
  CHECK(write_dataset(plan, nullptr, kNever).kept == 3);
}

TEST_CASE("synth: impossible plans are refused in words") {
  const TemporaryFolder folder;
  const auto refused = [&](auto change, const std::string& word) {
    DatasetPlan plan = small_plan(folder.path / "dances");
    change(plan);
    try {
      write_dataset(plan, nullptr, kNever);
      FAIL("was not refused");
    } catch (const UsageError& error) {
      CAPTURE(error.what());
      CHECK(std::string(error.what()).find(word) != std::string::npos);
    }
  };
  refused([](DatasetPlan& p) { p.width = 63; }, "63x48");
  refused([](DatasetPlan& p) { p.height = 0; }, "64x0");
  refused([](DatasetPlan& p) { p.clips = {0, 0, 0}; }, "no clips");
  refused([](DatasetPlan& p) { p.clips[1] = -1; }, "-1");
  refused([&](DatasetPlan& p) { p.folder = fs::path(LABAN_SOURCE_DIR) / "src"; }, "not empty");
  DatasetPlan plan = small_plan(folder.path / "dances");
  plan.clips = {1, 0, 0};
  write_dataset(plan, nullptr, kNever);
  refused([](DatasetPlan& p) { p.seed = 5; }, "another dataset");
  plan.folder = folder.path / "file";
  write_file(plan.folder, "a file stands in the way");
  CHECK_THROWS_AS(write_dataset(plan, nullptr, kNever), Error);
}
