#include "soak/reading.h"

#include <algorithm>

#include "core/error.h"
#include "data/check/examine.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"
#include "soak/damage.h"

namespace laban::soak {
namespace fs = std::filesystem;

std::vector<Clip> find_clips(const fs::path& folder, uint64_t largest, const fs::path& scratch) {
  std::vector<fs::path> files;
  if (fs::is_directory(folder))
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      if (entry.is_regular_file() && entry.path().extension() != ".md" && entry.file_size() > 0 &&
          entry.file_size() <= largest)
        files.push_back(entry.path());
  if (files.empty())
    for (const char* name : {"a.mp4", "b.mkv", "c.avi", "d.ts", "e.mov", "f.mpg"}) {
      test::make_video(scratch / "made" / name, {.width = 128, .height = 96, .frames = 60, .gop = 25});
      files.push_back(scratch / "made" / name);
    }
  std::ranges::sort(files);
  std::vector<Clip> clips;
  for (const fs::path& file : files) clips.push_back({file, test::bytes_of(file)});
  return clips;
}

Damaged damaged_file(const std::vector<Clip>& clips, uint64_t seed, int64_t number) {
  Rng rng(seed, Purpose::test, static_cast<uint64_t>(number));
  const Clip& clip = clips[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(clips.size()) - 1))];
  Damaged damaged{.extension = clip.file.extension().string(), .bytes = clip.bytes};
  const std::string how = damage(damaged.bytes, rng);
  damaged.name = clip.file.filename().string() + ", " + how;
  return damaged;
}

bool use(const fs::path& file, int64_t number) {
  static ClipReader reader;
  constexpr int kFrames = 8, kCrop = 56;
  const DatasetItem item{.path = file, .name = file.filename().string()};
  ClipSettings how;
  how.sampler = {.frames = kFrames};
  how.transform = {.short_side_min = 64, .short_side_max = 80, .crop = kCrop};
  std::vector<float> clip(size_t{kFrames} * kCrop * kCrop * 3);
  std::vector<int64_t> frames;
  if (number % 4 == 0) examine(item, nullptr);
  try {
    IndexCache cache(1, number % 2 ? Trust::nothing : Trust::long_tables);
    cache.get(item, 0, nullptr);
    const auto index = cache.get(item, 0, nullptr);  // as it was packed
    reader.read(item, *index, how, {.position = number}, nullptr, clip.data(), frames);
  } catch (const FileError& error) {
    require(error.file() == file.string() && !error.advice().empty(), "an error without its file or advice");
    return false;
  }
  require(frames.size() == kFrames && std::ranges::is_sorted(frames), "frames that were not drawn");
  return true;
}

}  // namespace laban::soak
