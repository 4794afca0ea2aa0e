// The synthetic dances: a clip as a pure function of (seed, split, number), and a folder of them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "data/dataset.h"
#include "data/synth_choreography.h"
#include "data/synth_performer.h"
#include "data/synth_stage.h"

namespace laban::synth {

/// One clip, drawn by lot; everything but `dance` comes from the same lots whatever the dance is.
struct Clip {
  Dance dance;
  int frames_per_second, frames;
  double beats_per_minute, first_beat;
  PartAngles start;                 // radians, uniform
  double sense_turn, sense_travel;  // +1 or -1: which way round
  bool couple;
  float apart;                 // metres between the two of a couple
  std::array<Body, 2> bodies;  // the second only in a couple
  Manner manner;
  Vec3 path_centre;      // on the floor, metres
  float path_x, path_z;  // the half axes of the path, metres
  Stage stage;

  double seconds(int frame) const { return static_cast<double>(frame) / frames_per_second; }
  /// The six angles in a frame: start + advance.
  PartAngles angles(int frame) const;
  /// Draws a frame; `canvas` has the stage's size.
  void draw(int frame, Canvas& canvas) const;
};

/// Clip `number` of `split`; its dance is number mod 10.
Clip draw_clip(uint64_t seed, Split split, int number, int width, int height);

/// The clip as an mp4 file. Empty where `stop` became true before the end.
std::string encode_clip(const Clip& clip, const std::atomic<bool>& stop);

struct DatasetPlan {
  std::filesystem::path folder;
  uint64_t seed = 1;
  int width = 160, height = 120;           // even
  std::array<int, 3> clips{400, 50, 150};  // train, val, test
  int workers = 1;

  int total() const { return clips[0] + clips[1] + clips[2]; }
};

struct DatasetResult {
  int made = 0, kept = 0;  // clips encoded now; clips found complete
  bool stopped = false;
};

/// Writes folder/<dance>/<split>_<number>.mp4, split.csv (path,label,split,group) and dataset.json (seed,
/// sizes, version). Files appear whole or not at all (temporary name, fsync, rename); those that exist are
/// kept, so that a run that was stopped can be taken up again. `progress(done)` is called from one thread at
/// a time. Ends early, with `stopped`, soon after `stop` becomes true. The files do not depend on the number
/// of workers. Throws UsageError for an impossible plan, or where the folder holds a data set of another
/// plan; FileError where a file cannot be written.
DatasetResult write_dataset(const DatasetPlan& plan, const std::function<void(int done)>& progress,
                            const std::atomic<bool>& stop);

}  // namespace laban::synth
