// libFuzzer target: any bytes as a video file. It is indexed and frames are read, or it is rejected with a
// FileError. libav itself is not instrumented: the target is laban's handling of its output.
#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "data/video/index_code.h"
#include "data/video/video.h"
#include "fuzz/look_at.h"
#include "fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace laban;
  const fuzz::MemoryFile file({data, size});
  // Both ways of counting frames, told by the input, so that a finding can be repeated.
  const Trust trust = size % 2 ? Trust::long_tables : Trust::nothing;
  try {
    const auto index = index_video(file.path(), trust);
    const std::string packed = encode_index(*index);
    const auto again = decode_index(std::as_bytes(std::span(packed.data(), packed.size())));
    require(again && again->packet_of_frame == index->packet_of_frame, "the index does not survive packing");
    const int64_t frames = index->frame_count();
    const std::vector<int64_t> wanted{0, frames / 3, frames - 1};
    fuzz::Viewer view;
    int64_t seen = -1;
    read_video(file.path(), *again, wanted, [&](int64_t k, const Frame& frame) {
      require(k >= 0 && k < frames && k != seen, "a frame that was not asked for");
      seen = k;
      view(frame);
    });
  } catch (const FileError&) {
  }
  return 0;
}
