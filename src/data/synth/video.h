// H.264 in mp4, through libav and libx264, into memory.
#pragma once

#include <memory>
#include <string>

#include "data/synth/canvas.h"

namespace laban::synth {

/// Encodes one video. Single-threaded and without wall-clock timestamps, so that the same frames give the
/// same bytes with the same version of libx264.
class VideoEncoder {
 public:
  /// `width` and `height` must be even. Throws Error if libav lacks libx264, or rejects the settings.
  VideoEncoder(int width, int height, int frames_per_second);
  ~VideoEncoder();

  void add(const Canvas& frame);
  /// Ends the video and returns the whole file. No frames may be added after that.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laban::synth
