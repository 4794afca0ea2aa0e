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

void add_sample(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("sample", "print the frame numbers that make up a clip, as a JSON array");
  command.add("--frames", options->frames, "frames of the video")
      .range(int64_t{1}, int64_t{1} << 40)
      .required();
  command.add("--segments", options->segments, "segments of the clip; with uniform-k: views")
      .range(1, 1'000'000);
  command.add("--frames-per-segment", options->frames_per_segment, "consecutive frames of each segment")
      .range(1, 1'000'000);
  command.add("--mode", options->mode, "random frames, or the fixed ones of a split")
      .choices({"train", "val", "test"});
  command.add("--sampler", options->sampler, "sampling method")
      .choices({"tsn", "tsn-unbiased", "dense", "uniform-k"});
  command.add("--seed", options->seed, "random seed of training mode");
  command.add("--start", options->start, "number of the video's first frame")
      .range(-(int64_t{1} << 40), int64_t{1} << 40)
      .allowed("at most 2^40");
  command.add("--stride", options->stride, "distance from one frame to the next (dense, uniform-k)");
  command.add("--fps", options->fps, "resample to this frame rate (dense, uniform-k); 0: off");
  command.add("--video-fps", options->video_fps, "frame rate of the video, for --fps");
  command.example("laban sample --frames 300 --segments 8")
      .example("laban sample --frames 300 --segments 16 --sampler dense --stride 2 --mode test");
  command.action([options] { print_sample(*options); });
}

}  // namespace laban::tools
