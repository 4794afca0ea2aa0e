// libFuzzer target: any bytes as a video index store, and as one of its records (whose checksums would
// otherwise reject any mutation). An accepted record is then used on a video that it need not match.
#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "data/made_clips.h"
#include "data/video/index_code.h"
#include "data/video/video_index_store.h"
#include "fuzz/look_at.h"
#include "fuzz/memory_file.h"

namespace {
using namespace laban;

const std::filesystem::path& video() {
  static const test::Folder folder("fuzz_packets");
  static const std::filesystem::path file = [] {
    const std::filesystem::path made = folder.path() / "v.mp4";
    test::make_video(made, {.width = 32, .height = 32, .frames = 12, .gop = 5});
    return made;
  }();
  return file;
}

void use(const VideoIndex& index) {
  const int64_t frames = index.frame_count();
  static fuzz::Viewer view;
  const std::vector<int64_t> wanted{0, frames / 2, frames - 1};
  try {
    read_video(video(), index, wanted, [](int64_t, const Frame& frame) { view(frame); });
  } catch (const FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::MemoryFile file({data, size});
  const VideoIndexStore store(file.path(), "/");
  store.find("/v.mp4", {});
  if (const auto index = decode_index(std::as_bytes(std::span(data, size)))) use(*index);
  return 0;
}
