// Reads wanted frames of an indexed file with the least decoding that is exact.
#include "data/video/video.h"

#include <algorithm>

#include "core/error.h"
#include "core/machine_error.h"
#include "data/video/picture_converter.h"
#include "data/video/video_decoder.h"

namespace laban {
namespace {

using RawSink = std::function<void(int64_t, const AVFrame&)>;

/// A run of packets [begin, end) to decode from a fresh start.
struct Stretch {
  int64_t begin = 0, end = 0;
};

/// A packet at which decoding may start: its number and the number of its frame.
struct Restart {
  int64_t packet = 0, frame = 0;
};

std::vector<int64_t> frames_by_packet(const VideoIndex& index) {
  std::vector<int64_t> frame(index.packets.size(), -1);
  for (size_t k = 0; k < index.packet_of_frame.size(); ++k)
    frame[static_cast<size_t>(index.packet_of_frame[k])] = static_cast<int64_t>(k);
  return frame;
}

/// The stretches that contain all wanted frames and everything they refer to, in order, without overlap. A
/// frame can be decoded from restart R if it comes after R in the file and is not shown before R.
std::vector<Stretch> plan(const VideoIndex& index, const std::vector<int64_t>& frame_of_packet,
                          std::span<const int64_t> wanted) {
  std::vector<Restart> restarts{{0, 0}};
  for (size_t p = 1; p < index.packets.size(); ++p)
    if (index.packets[p].restart && frame_of_packet[p] >= 0)
      restarts.push_back({static_cast<int64_t>(p), frame_of_packet[p]});

  std::vector<Stretch> stretches;
  for (const int64_t k : wanted) {
    const int64_t packet = index.packet_of_frame[static_cast<size_t>(k)];
    const auto usable = [&](const Restart& r) {
      return r.packet == 0 || (r.packet <= packet && r.frame <= k);
    };
    const auto last = std::find_if(restarts.rbegin(), restarts.rend(), usable);
    stretches.push_back({last->packet, packet + 1});
  }
  std::ranges::sort(stretches, {}, &Stretch::begin);
  // Neighboring stretches are joined: restarting costs more than a few packets.
  constexpr int64_t kGap = 4;
  std::vector<Stretch> joined;
  for (const Stretch& s : stretches) {
    if (!joined.empty() && s.begin <= joined.back().end + kGap)
      joined.back().end = std::max(joined.back().end, s.end);
    else
      joined.push_back(s);
  }
  return joined;
}

class Reading {
 public:
  Reading(const std::filesystem::path& file, const VideoIndex& index, std::span<const int64_t> wanted,
          const RawSink& sink, const std::atomic<bool>* cancel)
      : file_(file),
        index_(index),
        sink_(sink),
        cancel_(cancel),
        waiting_(static_cast<size_t>(index.frame_count()), false) {
    for (const int64_t k : wanted) {
      require(k >= 0 && k < index.frame_count() && (ascending_.empty() || k >= ascending_.back()),
              "read_video: frame numbers must ascend within [0, frame_count)");
      if (ascending_.empty() || k != ascending_.back()) ascending_.push_back(k);
      waiting_[static_cast<size_t>(k)] = true;
    }
    missing_ = static_cast<int64_t>(ascending_.size());
  }

  void run() {
    if (missing_ == 0) return;
    if (index_.exact_packets) {
      by_packets();
      if (missing_ == 0) return;
    }
    // Whatever went wrong, frame k is defined by decoding everything from the start.
    from_start();
    if (missing_ > 0) fail();
  }

 private:
  void deliver(int64_t k, const AVFrame& picture) {
    if (!waiting_[static_cast<size_t>(k)]) return;
    waiting_[static_cast<size_t>(k)] = false;
    --missing_;
    sink_(k, picture);
  }

  /// Finds frames by their packets; skips what no wanted frame needs. Stops at the first surprise.
  void by_packets() {
    const std::vector<int64_t> frame_of_packet = frames_by_packet(index_);
    const std::vector<Stretch> stretches = plan(index_, frame_of_packet, ascending_);
    Watch watch(cancel_);
    Demuxer source(file_, watch, index_.setup);
    VideoDecoder decoder(source, Effort::exact);
    const auto on_frame = [&](AVFrame& picture) {
      watch.progress();
      if (picture.pts < 0 || picture.pts >= static_cast<int64_t>(frame_of_packet.size())) return;
      const int64_t k = frame_of_packet[static_cast<size_t>(picture.pts)];
      if (k >= 0) deliver(k, picture);
    };
    const av::Packet packet = av::make_packet();
    int64_t ordinal = 0;
    for (const Stretch& s : stretches) {
      if (ordinal > 0) decoder.restart();
      for (; ordinal < s.end; ++ordinal) {
        if (!source.read(*packet)) return;
        const VideoPacket& expected = index_.packets[static_cast<size_t>(ordinal)];
        if (packet->size != expected.bytes) return;
        if (ordinal < s.begin || (expected.disposable && !is_wanted(frame_of_packet, ordinal))) continue;
        decoder.decode(*packet, ordinal, on_frame);
        if (decoder.errors() > 0) return;
      }
      decoder.drain(on_frame);
    }
  }

  bool is_wanted(const std::vector<int64_t>& frame_of_packet, int64_t packet) const {
    const int64_t k = frame_of_packet[static_cast<size_t>(packet)];
    return k >= 0 && waiting_[static_cast<size_t>(k)];
  }

  /// Decodes everything and counts; in a long file whose table was trusted, frames are still identified by
  /// packets.
  void from_start() {
    Watch watch(cancel_);
    Demuxer source(file_, watch);
    VideoDecoder decoder(source, Effort::exact);
    const std::vector<int64_t> frame_of_packet =
        index_.verified ? std::vector<int64_t>{} : frames_by_packet(index_);
    int64_t shown = 0;
    const auto on_frame = [&](AVFrame& picture) {
      watch.progress();
      int64_t k = shown++;
      if (!index_.verified) {
        const bool known = picture.pts >= 0 && picture.pts < static_cast<int64_t>(frame_of_packet.size());
        k = known ? frame_of_packet[static_cast<size_t>(picture.pts)] : -1;
      }
      if (k >= 0 && k < index_.frame_count()) deliver(k, picture);
    };
    const av::Packet packet = av::make_packet();
    for (int64_t ordinal = 0; missing_ > 0 && source.read(*packet); ++ordinal)
      decoder.decode(*packet, ordinal, on_frame);
    if (missing_ > 0) decoder.drain(on_frame);
    if (missing_ > 0)
      first_error_ = decoder.first_error().empty() ? source.read_error() : decoder.first_error();
  }

  [[noreturn]] void fail() const {
    throw_if_memory_was_short(file_);
    const auto first =
        std::ranges::find_if(ascending_, [&](int64_t k) { return waiting_[static_cast<size_t>(k)]; });
    throw FileError(
        file_.string(),
        text("frame ", *first, " of ", index_.frame_count(), " does not decode",
             first_error_.empty() ? "" : " (" + first_error_ + ")"),
        "The file is damaged there, or changed while it was being read; copy or convert it again.");
  }

  const std::filesystem::path& file_;
  const VideoIndex& index_;
  const RawSink& sink_;
  const std::atomic<bool>* cancel_;
  std::vector<bool> waiting_;       // by frame
  std::vector<int64_t> ascending_;  // the wanted frames, without duplicates
  int64_t missing_ = 0;
  std::string first_error_;
};

}  // namespace

void read_video_raw(const std::filesystem::path& file, const VideoIndex& index,
                    std::span<const int64_t> wanted, const RawSink& sink, const std::atomic<bool>* cancel) {
  Reading(file, index, wanted, sink, cancel).run();
}

void read_video(const std::filesystem::path& file, const VideoIndex& index, std::span<const int64_t> wanted,
                const std::function<void(int64_t, const Frame&)>& sink, const std::atomic<bool>* cancel) {
  PictureConverter converter;
  read_video_raw(
      file, index, wanted,
      [&](int64_t k, const AVFrame& picture) {
        Frame frame = converter.convert(file, picture);
        frame.rotation = index.rotation, frame.mirror = index.mirror;
        sink(k, frame);
      },
      cancel);
}

}  // namespace laban
