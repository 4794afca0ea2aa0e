#include "data/check/examine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/error.h"
#include "core/regular_file.h"
#include "core/sha256.h"
#include "data/cache/shard.h"
#include "data/load/clip_reader.h"
#include "data/picture/decode_limits.h"
#include "data/video/container_end.h"
#include "data/video/demuxer.h"
#include "data/video/watch.h"

namespace laban {
namespace {

/// A FileError's message, without the file's name and the advice.
std::string reason_of(const FileError& error) {
  std::string what = error.what();
  what.erase(std::min(what.find("\n  " + error.advice()), what.size()));
  if (what.starts_with(error.file() + ": ")) what.erase(0, error.file().size() + 2);
  return what;
}

// ---- extensions --------------------------------------------------------------------------------------

struct Extensions {
  std::string_view container;  // a part of libav's name
  std::string_view name;       // for people
  std::vector<std::string_view> extensions;
};
const std::array<Extensions, 14>& known_containers() {
  static const std::array<Extensions, 14> kKnown{{
      {"mov,mp4", "MP4", {".mp4", ".mov", ".m4v", ".3gp", ".3g2"}},
      {"matroska", "Matroska or WebM", {".mkv", ".webm"}},
      {"avi", "AVI", {".avi", ".divx"}},
      {"mpegts", "MPEG transport stream", {".ts", ".mts", ".m2ts", ".mpg", ".mpeg"}},
      {"mpegvideo", "MPEG video", {".mpg", ".mpeg"}},
      {"mpeg", "MPEG program stream", {".mpg", ".mpeg", ".vob"}},
      {"asf", "Windows Media", {".wmv", ".asf"}},
      {"flv", "Flash video", {".flv"}},
      {"ogg", "Ogg", {".ogv", ".ogm"}},
      {"gif", "GIF", {".gif"}},
      {"ivf", "IVF", {".ivf"}},
      {"yuv4mpegpipe", "Y4M", {".y4m"}},
      {"h264", "raw H.264", {".264", ".h264", ".jsv"}},
      {"hevc", "raw HEVC", {".265", ".h265", ".hevc"}},
  }};
  return kKnown;
}

bool is_video_extension(std::string_view extension) {
  return std::ranges::any_of(known_containers(), [&](const Extensions& known) {
    return std::ranges::find(known.extensions, extension) != known.extensions.end();
  });
}

/// A video's actual format if its extension says otherwise; empty if they agree, or if there is no telling.
std::string mislabeled(const std::filesystem::path& file, const std::string& container) {
  const std::string extension = lower_extension(file);
  if (!is_video_extension(extension)) return "";
  for (const Extensions& known : known_containers()) {
    if (container.find(known.container) == std::string::npos) continue;
    const bool right = std::ranges::find(known.extensions, extension) != known.extensions.end();
    return right ? "" : std::string(known.name);
  }
  return "a format that libav calls " + container;
}

/// The same for a picture.
std::string mislabeled_picture(const std::filesystem::path& file) {
  std::array<uint8_t, 8> head{};
  static_cast<void>(RegularFile(file).read(0, head));
  const std::string_view bytes(reinterpret_cast<const char*>(head.data()), head.size());
  const std::string extension = lower_extension(file);
  if (bytes.starts_with("\xff\xd8")) return extension == ".jpg" || extension == ".jpeg" ? "" : "JPEG";
  if (bytes.starts_with("\x89PNG")) return extension == ".png" ? "" : "PNG";
  if (bytes.starts_with("BM")) return extension == ".bmp" ? "" : "BMP";
  return "";
}

// ---- videos ------------------------------------------------------------------------------------------

/// How the frame durations vary; empty if they are equal. Containers round timestamps to their time base, so
/// a difference of one tick means nothing.
std::string varying_rate(const VideoIndex& index) {
  std::vector<int64_t> times;
  for (int64_t k = 0; k < index.frame_count(); ++k) {
    const VideoPacket* packet = index.packet_of(k);
    if (!packet || packet->pts == kNoTime) return "";
    times.push_back(packet->pts);
  }
  std::ranges::sort(times);
  int64_t shortest = INT64_MAX, longest = 0;
  for (size_t k = 1; k < times.size(); ++k) {
    shortest = std::min(shortest, times[k] - times[k - 1]);
    longest = std::max(longest, times[k] - times[k - 1]);
  }
  if (times.size() < 3 || longest - shortest <= 2 ||
      static_cast<double>(longest) < 1.1 * static_cast<double>(shortest))
    return "";
  const auto milliseconds = [&](int64_t ticks) {
    return std::to_string(std::lround(static_cast<double>(ticks) * index.tick * 1000));
  };
  return "frames are shown for " + milliseconds(shortest) + " to " + milliseconds(longest) + " ms";
}

/// Why the file is considered truncated; empty if it is complete. The header's frame count alone is no
/// evidence (container_end.h).
std::string shortened(const std::filesystem::path& file, const VideoIndex& index) {
  const auto packets = static_cast<int64_t>(index.packets.size());
  if (const int64_t beyond = index.setup->packets_beyond_end; beyond > 0)
    return index.setup->declared_frames > packets
               ? text("its header claims ", index.setup->declared_frames, " frames, the file has ", packets)
               : text("it ends before its last ", beyond, " frames");
  if (std::string lacking = part_beyond_end(file, index.setup->container); !lacking.empty()) return lacking;
  if (!index.read_error.empty()) return "reading stopped before its end: " + index.read_error;
  if (index.container_complaint.find("prematurely") != std::string::npos) return index.container_complaint;
  if (index.ends_damaged)
    return text("its last picture, after ", index.frame_count() - 1, " complete ones, is cut off");
  return "";
}

std::string damage(const VideoIndex& index) {
  std::string what;
  if (index.decode_errors > 0)
    what = text(index.decode_errors, " of ", index.packets.size(), " packets do not decode");
  if (index.damaged_frames > 0)
    what += text(what.empty() ? "" : ", ", index.damaged_frames, " of ", index.frame_count(),
                 " frames are damaged");
  if (!what.empty() && !index.first_error.empty()) what += " (" + index.first_error + ")";
  return what;
}

void add_rotated(int rotation, bool mirror, FileReport& report) {
  if (rotation == 0 && !mirror) return;
  report.findings.push_back(
      {FindingKind::rotated,
       text("players rotate it by ", rotation, " degrees clockwise", mirror ? " and mirror it" : "")});
}

void examine_video(const DatasetItem& item, const std::atomic<bool>* cancel, FileReport& report) {
  const auto add = [&](FindingKind kind, std::string detail) {
    if (!detail.empty()) report.findings.push_back({kind, std::move(detail)});
  };
  Sha256 content;
  const auto index = index_video(item.path, Trust::nothing, cancel, [&](std::span<const uint8_t> packet) {
    content.update(packet.data(), packet.size());
  });
  report.readable = true;
  report.frames = index->frame_count();
  report.fps = index->fps;
  report.content = content.hex();
  const std::string cut = shortened(item.path, *index);
  add(FindingKind::truncated, cut);
  if (cut.empty()) add(FindingKind::damaged, damage(*index));
  if (const std::string kind = mislabeled(item.path, index->setup->container); !kind.empty())
    add(FindingKind::wrong_extension,
        "its extension is " + lower_extension(item.path) + ", but it is " + kind);
  // A truncated file lacks some of its last frames.
  if (cut.empty()) add(FindingKind::variable_rate, varying_rate(*index));
  add_rotated(index->rotation, index->mirror, report);
  if (!index->size_change.empty()) add(FindingKind::size_change, "from " + index->size_change);
}

// ---- folders of pictures -----------------------------------------------------------------------------

void add_pixels(Sha256& sum, const Frame& frame) {
  sum.update(text(frame.width, "x", frame.height, " ", static_cast<int>(frame.layout), "\n"));
  const bool rgb = frame.layout == PixelLayout::rgb24, gray = frame.layout == PixelLayout::gray8;
  const bool half_width = frame.layout == PixelLayout::yuv420p || frame.layout == PixelLayout::yuv422p;
  const bool half_height = frame.layout == PixelLayout::yuv420p;
  for (size_t p = 0; p < (rgb || gray ? 1u : 3u); ++p) {
    const int width = p > 0 && half_width ? (frame.width + 1) / 2 : frame.width * (rgb ? 3 : 1);
    const int height = p > 0 && half_height ? (frame.height + 1) / 2 : frame.height;
    for (int row = 0; row < height; ++row)
      sum.update(frame.plane[p] + int64_t{row} * frame.stride[p], static_cast<size_t>(width));
  }
}

/// A broken picture does not prevent the others from being examined.
void examine_folder(const DatasetItem& item, const std::atomic<bool>* cancel, FileReport& report) {
  FolderIndex index = list_frames(item.path, item.filename_pattern, item.range);
  Sha256 content;
  PictureReader reader;
  std::string broken, strange;
  int64_t broken_pictures = 0, strangers = 0;
  const DecodeTime time;
  for (int64_t k = 0; k < index.frame_count(); ++k) {
    if (cancel && cancel->load(std::memory_order_relaxed)) throw Canceled{};
    time.check(item.path);
    const std::filesystem::path picture = index.picture(k);
    try {
      if (index.width == 0) {
        const Frame first = reader.read(picture);
        index.width = first.width, index.height = first.height;
        index.rotation = first.rotation, index.mirror = first.mirror;
      }
      // One at a time, so that each is read once.
      const std::vector<int64_t> one{k};
      read_folder(index, one, reader, [&](int64_t, const Frame& frame) { add_pixels(content, frame); });
    } catch (const FileError& error) {
      if (broken_pictures++ == 0) broken = error.file() + ": " + reason_of(error);
    }
    if (const std::string kind = mislabeled_picture(picture); !kind.empty() && strangers++ == 0)
      strange = text(picture.filename().string(), " is ", kind);
  }
  report.readable = broken_pictures == 0;
  if (broken_pictures > 1) broken += text(", and ", broken_pictures - 1, " more pictures are broken");
  if (!broken.empty()) report.findings.push_back({FindingKind::unreadable, broken});
  if (report.readable) {
    report.frames = index.frame_count();
    report.content = content.hex();
  }
  if (!index.gap.empty()) report.findings.push_back({FindingKind::missing_frames, index.gap});
  // Of different kinds they may be by their extensions alone.
  if (!index.chosen.empty() && strangers == 0)
    report.findings.push_back({FindingKind::mixed_pictures, index.chosen});
  if (report.readable) add_rotated(index.rotation, index.mirror, report);
  if (strangers > 1) strange += text(", and ", strangers - 1, " more pictures do not match their extensions");
  if (strangers > 0) report.findings.push_back({FindingKind::wrong_extension, strange});
}

// ---- clips of a cache --------------------------------------------------------------------------------

void examine_cached(const DatasetItem& item, const std::atomic<bool>* cancel, FileReport& report) {
  const Shard shard(item.path);
  const ShardClip& clip = shard.clip(item.name);
  Sha256 content;
  ShardReader reader;
  const DecodeTime time;
  for (int64_t k = 0; k < clip.frame_count(); ++k) {
    if (cancel && cancel->load(std::memory_order_relaxed)) throw Canceled{};
    time.check(item.path);
    const std::vector<int64_t> one{k};
    reader.read(shard, clip, one, [&](int64_t, const Frame& frame) { add_pixels(content, frame); });
  }
  report.readable = true;
  report.frames = clip.frame_count();
  report.fps = clip.fps;
  report.content = content.hex();
  add_rotated(clip.rotation, clip.mirror, report);
}

}  // namespace

const char* name_of(FindingKind kind) {
  constexpr std::array<const char*, kFindingKinds> kNames{
      "unreadable",     "no-video",     "damaged",        "truncated",     "wrong-extension",
      "missing-frames", "short",        "duplicate",      "leak",          "label-conflict",
      "near-leak",      "shared-scene", "near-duplicate", "shared-source", "variable-rate",
      "rotated",        "size-change",  "mixed-pictures"};
  return kNames[static_cast<size_t>(kind)];
}

bool is_problem(FindingKind kind) { return kind < FindingKind::near_duplicate; }

FileReport examine(const DatasetItem& item, const std::atomic<bool>* cancel) {
  FileReport report;
  try {
    switch (item.kind) {
      case ItemKind::video:
        examine_video(item, cancel, report);
        break;
      case ItemKind::frame_folder:
        examine_folder(item, cancel, report);
        break;
      case ItemKind::cached:
        examine_cached(item, cancel, report);
        break;
    }
  } catch (const NoVideoError& error) {
    report.findings.push_back({FindingKind::no_video, reason_of(error)});
  } catch (const FileError& error) {
    const std::string inside = error.file() == item.path.string() ? "" : error.file() + ": ";
    report.findings.push_back({FindingKind::unreadable, inside + reason_of(error)});
  }
  return report;
}

}  // namespace laban
