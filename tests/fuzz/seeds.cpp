// Writes the files to begin with: fuzz_seeds FORMAT FOLDER
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "core/files.h"
#include "data/cache/cache.h"
#include "data/made_clips.h"
#include "data/video/index_code.h"
#include "fuzz/checkpoint_metadata.h"
#include "weights/made_files.h"

namespace {
using namespace laban;
namespace fs = std::filesystem;

void safetensors_seeds(const fs::path& folder) {
  for (const auto& [name, bytes] : test::sample_safetensors()) write_file(folder / name, bytes);
}

void torch_seeds(const fs::path& folder) {
  for (const auto& [name, bytes] : test::sample_torch_files()) write_file(folder / name, bytes);
  const std::string tensor = test::tensor("HalfStorage", "0", 32, 3, {2, 3}, {1, 4});
  const std::string state = test::dict({{test::text("layer1.0.conv1.weight"), tensor}});
  write_file(folder / "pickle", test::kPickle + state + test::kStop);
  write_file(folder / "pickle_nested",
             test::kPickle + test::dict({{test::text("state_dict"), state}}) + test::kStop);
}

/// Small clips in every container, and real ones where they are.
void video_seeds(const fs::path& folder) {
  for (const char* extension : {"mp4", "mkv", "avi", "ts", "mov", "mpg", "flv"})
    test::make_video(folder / (std::string("h264.") + extension),
                     {.width = 48, .height = 32, .frames = 12, .gop = 5});
  const std::map<std::string, std::string> encoders{
      {"mpeg4", "mp4"},   {"mpeg2video", "mpg"},  {"mjpeg", "avi"},      {"libx265", "mkv"},
      {"libvpx", "webm"}, {"libvpx-vp9", "webm"}, {"libaom-av1", "mkv"}, {"gif", "gif"}};
  for (const auto& [encoder, extension] : encoders) {
    if (!test::can_encode(encoder)) continue;
    const std::string options = encoder == "libx265" ? "x265-params=log-level=none" : "";
    const std::string format = encoder == "mjpeg" ? "yuvj420p" : encoder == "gif" ? "rgb8" : "yuv420p";
    test::make_video(folder / (encoder + "." + extension), {.width = 32,
                                                            .height = 32,
                                                            .frames = 5,
                                                            .gop = 3,
                                                            .encoder = encoder,
                                                            .pixel_format = format,
                                                            .options = options});
  }
  const fs::path real = fs::path(LABAN_SOURCE_DIR).parent_path() / "shared/clips";
  if (!fs::is_directory(real)) return;
  for (const fs::directory_entry& clip : fs::directory_iterator(real))
    if (clip.is_regular_file() && clip.file_size() <= 8'000 && clip.path().extension() != ".md")
      fs::copy_file(clip.path(), folder / clip.path().filename(), fs::copy_options::overwrite_existing);
}

/// JPEG and PNG of every layout, through libav: a stream of one picture is a picture.
void picture_seeds(const fs::path& folder) {
  test::write_bytes(folder / "tiny.bmp", test::tiny_bmp());
  for (const char* format : {"yuvj420p", "yuvj422p", "yuvj444p"})
    test::make_video(folder / (std::string(format) + ".mjpeg"), {.width = 33,
                                                                 .height = 31,
                                                                 .frames = 1,
                                                                 .full_range = true,
                                                                 .encoder = "mjpeg",
                                                                 .pixel_format = format});
  for (const char* format : {"rgb24", "rgba", "gray", "rgb48be"})
    test::make_video(folder / (std::string(format) + ".apng"),
                     {.width = 33, .height = 31, .frames = 1, .encoder = "apng", .pixel_format = format});
}

void shard_seeds(const fs::path& folder) {
  const test::Folder made("fuzz_shard_seeds");
  for (const char* clip : {"a/1.mp4", "b/2.mp4"})
    test::make_video(made.path() / "videos" / clip, {.width = 32, .height = 24, .frames = 4});
  const Dataset dataset = open_dataset(made.path() / "videos", {.split = {.train = 1, .val = 0}});
  for (const ShardCoding coding : {ShardCoding::jpeg, ShardCoding::raw}) {
    CacheResult result;
    const fs::path copy = made.path() / "copy";
    make_cache(dataset, copy, {.short_side = 16, .coding = coding, .workers = 1}, {}, result);
    const bool raw = coding == ShardCoding::raw;
    fs::rename(copy / "shard-00000.labanshard", folder / (raw ? "raw" : "jpeg"));
    fs::remove_all(copy);
  }
}

void packets_seeds(const fs::path& folder) {
  const test::Folder made("fuzz_packets_seeds");
  for (const char* extension : {"mp4", "mkv", "avi"}) {
    const fs::path file = made.path() / (std::string("v.") + extension);
    test::make_video(file, {.width = 32, .height = 32, .frames = 12, .gop = 5});
    const auto index = index_video(file);
    write_file(folder / (std::string("record_") + extension), encode_index(*index));
    VideoIndexStore store(folder / (std::string("store_") + extension), "/");
    store.add("/v.mp4", {}, *index);
  }
}

/// Each text once as it should be; then what was found in checkpoints that meant harm.
void checkpoint_seeds(const fs::path& folder) {
  for (size_t i = 0; i < fuzz::kCheckpointTexts.size(); ++i) {
    const char* const key = fuzz::kCheckpointTexts[i];
    const std::string which(1, static_cast<char>(i));
    write_file(folder / key, which + fuzz::checkpoint_metadata().at(key));
    write_file(folder / (std::string(key) + "_deep"), which + std::string(3000, '['));
  }
  write_file(folder / "config_keys", std::string(1, '\0') + "a.b.c.d.e = 1\n[train]\nepochs = -5\n");
}

void lists_seeds(const fs::path& folder) {
  write_file(folder / "labels", "a/1 0\nb/1 1\n# nothing\n\n\"a/2\" 0\n");
  write_file(folder / "counts", "a/1 2 0\nb/1 1 1\n");
  write_file(folder / "spans", "a/1 1 2 x\nb/1 2 2 y\n");
  write_file(folder / "table",
             "path,label,split,group,frames,first,count,name\n"
             "a/1,a,train,g,img_%d.bmp,1,2,one\n\"b/1\",b,val,,,,1,\"t\"\"wo\"\n");
  write_file(folder / "header", "clip_path,label,start,end,split\na/1,x,1,2,train\nb/2,y,1,1,test\n");
  write_file(folder / "pattern", "img_{:05d}.jpg");
}

}  // namespace

// libx265 keeps some memory to the end.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

int main(int argc, char** argv) {
  const std::map<std::string, std::function<void(const fs::path&)>> formats{
      {"safetensors", safetensors_seeds},
      {"torch", torch_seeds},
      {"video", video_seeds},
      {"picture", picture_seeds},
      {"shard", shard_seeds},
      {"packets", packets_seeds},
      {"lists", lists_seeds},
      {"checkpoint", checkpoint_seeds}};
  const auto format = argc == 3 ? formats.find(argv[1]) : formats.end();
  if (format == formats.end()) {
    std::fprintf(stderr,
                 "usage: fuzz_seeds safetensors|torch|video|picture|shard|packets|lists|checkpoint FOLDER\n");
    return 2;
  }
  const fs::path folder = argv[2];
  fs::create_directories(folder);
  format->second(folder);
  return 0;
}
