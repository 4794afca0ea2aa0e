// laban frames: the frames of a video file, as training counts them.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/options.h"
#include "commands/commands.h"
#include "core/error.h"
#include "data/video/frame_list.h"
#include "data/video/watch.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string file;
  std::vector<int64_t> indices;
  bool md5 = false, json = false;
  ConfigFlags limits;
};

void require_in_range(const std::vector<int64_t>& indices, const Options& options, const VideoIndex& index) {
  for (const int64_t k : indices)
    if (k < 0 || k >= index.frame_count())
      throw UsageError(text("--indices: there is no frame ", k, " in ", options.file),
                       text("It has ", index.frame_count(), " frames, 0 to ", index.frame_count() - 1, "."));
}

void print_row(const ListedFrame& frame, bool md5) {
  const std::string pts = frame.pts ? std::to_string(*frame.pts) : "-";
  const char* key = !frame.key ? "-" : *frame.key ? "1" : "0";
  std::printf("%lld %s %s%s%s\n", static_cast<long long>(frame.number), pts.c_str(), key, md5 ? " " : "",
              frame.md5.c_str());
}

nlohmann::ordered_json to_json(const ListedFrame& frame, const VideoIndex& index) {
  nlohmann::ordered_json row{
      {"index", frame.number}, {"pts", nullptr}, {"seconds", nullptr}, {"key", nullptr}};
  if (frame.pts) {
    row["pts"] = *frame.pts;
    row["seconds"] = static_cast<double>(*frame.pts) * index.tick;
  }
  if (frame.key) row["key"] = *frame.key;
  if (frame.md5.empty()) return row;
  row["width"] = frame.width;
  row["height"] = frame.height;
  row["pixel_format"] = frame.pixel_format;
  row["md5"] = frame.md5;
  return row;
}

/// Tells every frame that was asked for, in that order, as soon as it is known.
template <class Tell>
void list(const Options& options, const VideoIndex& index, Tell tell) {
  std::vector<int64_t> asked = options.indices;
  if (asked.empty()) {
    asked.resize(static_cast<size_t>(index.frame_count()));
    std::iota(asked.begin(), asked.end(), 0);
  }
  if (!options.md5) {
    for (const int64_t k : asked) tell(describe_frame(index, k));
    return;
  }
  std::vector<int64_t> ascending = asked;
  std::ranges::sort(ascending);
  std::map<int64_t, ListedFrame> waiting;
  size_t next = 0;
  hash_frames(
      options.file, index, ascending,
      [&](const ListedFrame& frame) {
        waiting.emplace(frame.number, frame);
        for (; next < asked.size() && waiting.contains(asked[next]); ++next) {
          tell(waiting.at(asked[next]));
          // An ascending list never comes back to a frame but at once.
          if (options.indices.empty()) waiting.erase(asked[next]);
        }
      },
      &interrupt_flag());
}

void show_frames(const Options& options) {
  std::error_code failed;  // index_video says why
  if (fs::is_directory(options.file, failed))
    throw UsageError(options.file + " is a folder",
                     "Name a video file; the frames of a folder are its pictures.");
  Config config;
  options.limits.apply(config);
  install_interrupt_handler();
  try {
    const auto index = index_video(options.file, Trust::nothing, &interrupt_flag());
    require_in_range(options.indices, options, *index);
    if (!options.json) {
      std::printf("# index pts key%s\n", options.md5 ? " md5" : "");
      list(options, *index, [&](const ListedFrame& frame) { print_row(frame, options.md5); });
      return;
    }
    nlohmann::ordered_json frames = nlohmann::ordered_json::array();
    list(options, *index, [&](const ListedFrame& frame) { frames.push_back(to_json(frame, *index)); });
    const nlohmann::ordered_json document{
        {"file", options.file},    {"frames", index->frame_count()},  {"width", index->width},
        {"height", index->height}, {"rotation", index->rotation},     {"mirror", index->mirror},
        {"fps", index->fps},       {"seconds_per_tick", index->tick}, {"decode_errors", index->decode_errors},
        {"list", frames}};
    std::puts(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } catch (const Canceled&) {
    throw Error("stopped before the end of the list");
  }
}

}  // namespace

void add_frames(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand("frames", "list the frames of a video file as training counts them");
  command.add("FILE", options->file, "video file").path(PathKind::file).required();
  command.add("--indices", options->indices, "only these frames, counted from 0, in this order");
  command.add("--md5", options->md5, "with the MD5 of every frame's pixels, as in ffmpeg -f framemd5");
  command.add("--json", options->json, "print JSON");
  options->limits.add_to(command, limit_flags());
  command.example("laban frames dance.mp4").example("laban frames dance.mp4 --indices 0,10,20 --md5");
  command.action([options] { show_frames(*options); });
}

}  // namespace laban::tools
