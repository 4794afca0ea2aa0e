// What the network saw: contact sheets of clips with what the network made of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/load/loader.h"
#include "train/report/run.h"

namespace laban::report {

struct Picture {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // rows of width*3 bytes
};
/// The frames of one clip, after sampling, cropping and normalizing back to colors.
struct ClipPictures {
  std::vector<Picture> frames;
  std::vector<int64_t> numbers;  // of each frame in its video, from 0
};
/// Finds and decodes a clip by the name under which the evaluation lists it. Throws Error where it cannot.
using ClipSource = std::function<ClipPictures(const std::string& file)>;

/// Clips as the loader makes them in test mode with these settings. Both arguments are copied.
ClipSource dataset_clips(Dataset dataset, LoaderSettings settings);

/// A PNG file in memory. Throws Error where the picture's bytes do not match its size.
std::vector<uint8_t> encode_png(const Picture& picture);
/// Are these the first bytes of such a file?
bool is_own_png(std::string_view begin);

/// Which predictions to show: the `most` wrong ones that were surest of themselves, surest first...
std::vector<const Prediction*> surest_mistakes(const Evaluation& evaluation, size_t most);
/// ...and of every class (the first `most` classes that have any) the right one of median confidence: neither
/// the best nor the worst.
std::vector<const Prediction*> typical_hits(const Evaluation& evaluation, size_t most);

/// One clip: frames with their numbers, file name, verdict, the classes with the largest probabilities. Where
/// the source is empty or throws, a sentence stands in place of the frames.
std::string clip_card(const Prediction& prediction, const std::vector<std::string>& classes,
                      const ClipSource& source);

}  // namespace laban::report
