// laban sample: which frames of a video make a clip.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "commands/commands.h"
#include "core/error.h"
#include "data/clip/sampler.h"

namespace laban::tools {
namespace {

struct Options {
  int64_t frames = 0, start = 0;
  int segments = 16, frames_per_segment = 1;
  double stride = 1, fps = 0, video_fps = 25;
  std::string mode = "train", sampler = "tsn";
  uint64_t seed = 1;
};

SampleMode mode_of(const std::string& name) {
  return name == "train" ? SampleMode::train : name == "val" ? SampleMode::val : SampleMode::test;
}

std::vector<int64_t> indices_of(const Options& options) {
  if (int64_t{options.segments} * options.frames_per_segment > 1'000'000'000)
    throw UsageError(
        text(options.segments, " segments of ", options.frames_per_segment, " frames are too many"),
        "A clip has at most 1000000000 frames.");
  SamplerSettings settings{.frames = options.segments * options.frames_per_segment,
                           .frames_per_segment = options.frames_per_segment,
                           .stride = options.stride,
                           .fps = options.fps};
  Rng rng(options.seed, Purpose::sample);
  if (options.sampler != "uniform-k") {
    settings.kind = options.sampler == "tsn"     ? SamplerKind::tsn
                    : options.sampler == "dense" ? SamplerKind::dense
                                                 : SamplerKind::tsn_unbiased;
    return sample_indices(settings, mode_of(options.mode), options.frames, options.video_fps, rng);
  }
  // As many views as segments, one after the other: the clips of an evaluation with --sampler dense --views
  // K.
  validate(settings);
  settings.kind = SamplerKind::dense;
  settings.frames = settings.frames_per_segment;
  std::vector<int64_t> all;
  for (int k = 0; k < options.segments; ++k)
    for (const int64_t index : sample_indices(settings, SampleMode::test, options.frames, options.video_fps,
                                              rng, {k, options.segments}))
      all.push_back(index);
  return all;
}

void print_sample(const Options& options) {
  std::string line;
  for (const int64_t index : indices_of(options))
    line += text(line.empty() ? "" : ",", options.start + index);
  std::printf("[%s]\n", line.c_str());
}

}  // namespace

void add_sample(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("sample", "print the frame numbers that a clip is made of, as a JSON array");
  command->add_option("--frames", options->frames, "of the video")
      ->required()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command->add_option("--segments", options->segments, "of the clip; with uniform-k: views")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--frames-per-segment", options->frames_per_segment, "consecutive frames of each")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--mode", options->mode, "train, val or test")
      ->check(CLI::IsMember({"train", "val", "test"}))
      ->capture_default_str();
  command->add_option("--sampler", options->sampler, "tsn, tsn-unbiased, dense or uniform-k")
      ->check(CLI::IsMember({"tsn", "tsn-unbiased", "dense", "uniform-k"}))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of what is drawn in training")->capture_default_str();
  command->add_option("--start", options->start, "the number of the video's first frame")
      ->check(CLI::Range(-(int64_t{1} << 40), int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--stride", options->stride, "frames from one to the next (dense, uniform-k)")
      ->capture_default_str();
  command->add_option("--fps", options->fps, "resample to this rate (dense, uniform-k); 0: as they come")
      ->capture_default_str();
  command->add_option("--video-fps", options->video_fps, "the video's own rate, for --fps")
      ->capture_default_str();
  command->callback([options] { print_sample(*options); });
}

}  // namespace laban::tools
