// H.264 in mp4, through libav and libx264, into memory.
#pragma once

#include <memory>
#include <string>

#include "data/synth/canvas.h"

namespace laban::synth {

/// Encodes one video. One thread and no time stamps of the clock, so that the same frames give the same bytes
/// with the same version of libx264.
class VideoEncoder {
 public:
  /// `width` and `height` even. Throws Error where libav has no libx264, or refuses the settings.
  VideoEncoder(int width, int height, int frames_per_second);
  ~VideoEncoder();

  void add(const Canvas& frame);
  /// Ends the video and gives the whole file. Nothing may be added after it.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace laban::synth
