// What the network saw: contact sheets of clips, with predictions.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/load/loader.h"
#include "train/report/run.h"

namespace laban::report {

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // rows of width*3 bytes
};
/// The frames of one clip, sampled, cropped, and converted back from normalized values to colors.
struct ClipPictures {
  std::vector<Picture> frames;
  std::vector<int64_t> numbers;  // of each frame in its video, from 0
};
/// Finds and decodes a clip by its name in the evaluation. Throws Error if it cannot.
using ClipSource = std::function<ClipPictures(const std::string& file)>;

/// Clips as the loader makes them in test mode with these settings. Both arguments are copied.
ClipSource dataset_clips(Dataset dataset, LoaderSettings settings);

/// A PNG file in memory. Throws Error if the picture's bytes do not match its size.
std::vector<uint8_t> encode_png(const Picture& picture);
/// Are these the first bytes of such a file?
bool is_own_png(std::string_view begin);

/// Which predictions to show: the `most` most confident mistakes, most confident first...
std::vector<const Prediction*> surest_mistakes(const Evaluation& evaluation, size_t most);
/// ...and, for each of the first `most` classes that have any, the correct prediction of median confidence:
/// neither the best nor the worst.
std::vector<const Prediction*> typical_hits(const Evaluation& evaluation, size_t most);

/// One clip: frames with their numbers, file name, verdict, and the most probable classes. If the source is
/// empty or throws, a sentence replaces the frames.
std::string clip_card(const Prediction& prediction, const std::vector<std::string>& classes,
                      const ClipSource& source);

/// Frames of one size as one moving picture, one after the other without end: a PNG of all of them below each
/// other, which `motion_style()` moves. `file`: that PNG, where it is a file; else it is within. Empty for fewer
/// than two frames.
std::string motion_html(const std::vector<Picture>& frames, const std::string& file);
std::string_view motion_style();

}  // namespace laban::report
