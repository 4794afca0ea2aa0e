// One pass over a file: its packets, and the frames they become.
#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "core/machine_error.h"
#include "data/video/frame_rate.h"
#include "data/video/h264_packet.h"
#include "data/video/hevc_packet.h"
#include "data/video/picture_converter.h"
#include "data/video/video.h"
#include "data/video/video_decoder.h"

namespace laban {
namespace {

// Limits the work that a damaged header can cause: no stored packet is read more than a few times.
constexpr int64_t kMaxPackets = 10'000'000;

struct Pass {
  std::vector<VideoPacket> packets;
  std::vector<int64_t>
      frames;  // packet of every frame that came out, in order; -1: the decoder could not say
  double tick = 0;
  int width = 0, height = 0;
  std::string size_change;
  bool complete = false;  // all packets were decoded
  bool flawless = true;   // nothing was wrong with reading or decoding
  int errors = 0, damaged = 0;
  std::string first_error, read_error, container_complaint;
  int64_t first_damage =
      INT64_MAX;            // the first packet that is incomplete, or gave an error or a damaged frame
  bool has_matrix = false;  // the first picture carries its own orientation
  int rotation = 0;
  bool mirror = false;
};

/// Codecs in which decoding may start at any packet marked as key (H.264 is examined packet by packet).
bool keys_are_restarts(AVCodecID codec) {
  return codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_VP8 || codec == AV_CODEC_ID_VP9 ||
         codec == AV_CODEC_ID_AV1 || codec == AV_CODEC_ID_MJPEG;
}

/// Describes packets before they are decoded.
class Describer {
 public:
  explicit Describer(const AVCodecParameters& parameters) : codec_(parameters.codec_id) {
    const std::span<const uint8_t> extradata(parameters.extradata,
                                             static_cast<size_t>(std::max(0, parameters.extradata_size)));
    if (codec_ == AV_CODEC_ID_H264) length_size_ = h264_length_size(extradata);
    if (codec_ == AV_CODEC_ID_HEVC) length_size_ = hevc_length_size(extradata);
  }

  VideoPacket describe(const AVPacket& packet);
  /// To be called after all packets: only then is HEVC's highest layer known.
  void finish(std::vector<VideoPacket>& packets) const;

 private:
  AVCodecID codec_;
  int length_size_ = 0;
  std::vector<int> layers_;  // HEVC: the temporal layer of every packet
};

VideoPacket Describer::describe(const AVPacket& packet) {
  static_assert(kNoTime == AV_NOPTS_VALUE);
  const bool key = packet.flags & AV_PKT_FLAG_KEY;
  VideoPacket v{.pts = packet.pts,
                .bytes = packet.size,
                .key = key,
                .hidden = (packet.flags & AV_PKT_FLAG_DISCARD) != 0};
  v.restart = key && keys_are_restarts(codec_);
  // New parameter sets attached to a packet would be lost if it were skipped.
  const bool plain = packet.side_data_elems == 0;
  const std::span<const uint8_t> bytes(packet.data, static_cast<size_t>(packet.size));
  if (codec_ == AV_CODEC_ID_H264) {
    const H264PacketKind kind = h264_packet_kind(bytes, length_size_);
    v.restart = key && kind.idr && plain;
    v.disposable = kind.disposable && plain;
  } else if (codec_ == AV_CODEC_ID_HEVC) {
    const HevcPacketKind kind = hevc_packet_kind(bytes, length_size_);
    v.disposable = kind.unreferenced_in_layer && plain;
    layers_.push_back(kind.temporal_layer);
  }
  return v;
}

void Describer::finish(std::vector<VideoPacket>& packets) const {
  if (layers_.empty()) return;
  const int highest = *std::ranges::max_element(layers_);
  for (size_t i = 0; i < packets.size(); ++i)
    packets[i].disposable = packets[i].disposable && layers_[i] == highest;
}

/// Reads all packets, decodes the first `decode_limit` of them.
Pass scan(Demuxer& source, VideoDecoder& decoder, Watch& watch, int64_t decode_limit,
          const PacketSink& on_packet) {
  Pass pass;
  pass.tick = av_q2d(source.setup()->time_base);
  Describer describer(*source.setup()->parameters);
  int format = AV_PIX_FMT_NONE;
  const auto on_frame = [&](AVFrame& frame) {
    watch.progress();
    source.check_watch();
    if (frame.format != format) require_supported(source.file(), frame);
    format = frame.format;
    if (pass.frames.empty()) {
      pass.width = frame.width, pass.height = frame.height;
      if (const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX))
        pass.has_matrix =
            orientation_of(reinterpret_cast<const int32_t*>(data->data), pass.rotation, pass.mirror);
    }
    if (pass.size_change.empty() && (frame.width != pass.width || frame.height != pass.height))
      pass.size_change = text(pass.width, "x", pass.height, " to ", frame.width, "x", frame.height,
                              " at frame ", pass.frames.size());
    const bool known = frame.pts >= 0 && frame.pts < static_cast<int64_t>(pass.packets.size());
    pass.frames.push_back(known ? frame.pts : -1);
    if ((frame.flags & AV_FRAME_FLAG_CORRUPT) || frame.decode_error_flags) {
      ++pass.damaged;
      pass.first_damage = std::min(pass.first_damage, known ? frame.pts : 0);
      pass.flawless = false;
    }
  };

  const av::Packet packet = av::make_packet();
  int64_t bytes = 0;
  int errors = 0;
  while (source.read(*packet)) {
    const int64_t ordinal = static_cast<int64_t>(pass.packets.size());
    bytes += packet->size;
    if (ordinal >= kMaxPackets || bytes > 4 * source.bytes() + (1 << 20))
      throw FileError(source.file().string(), "its index claims far more data than the file contains",
                      "The file is damaged; download or copy it again.");
    pass.packets.push_back(describer.describe(*packet));
    if (on_packet) on_packet({packet->data, static_cast<size_t>(packet->size)});
    const bool incomplete = packet->flags & AV_PKT_FLAG_CORRUPT;
    if (incomplete) pass.flawless = false;
    if (ordinal < decode_limit) decoder.decode(*packet, ordinal, on_frame);
    if (incomplete || decoder.errors() > errors) pass.first_damage = std::min(pass.first_damage, ordinal);
    errors = decoder.errors();
  }
  decoder.drain(on_frame);
  describer.finish(pass.packets);
  pass.complete = static_cast<int64_t>(pass.packets.size()) <= decode_limit;
  pass.errors = decoder.errors();
  pass.first_error = decoder.first_error();
  pass.read_error = source.read_error();
  pass.container_complaint = source.complaint();
  if (pass.errors > 0 || !pass.read_error.empty()) pass.flawless = false;
  return pass;
}

/// Whether every packet that should be shown gave exactly one frame, and no other packet did.
bool one_frame_each(const Pass& pass) {
  std::vector<int> frames(pass.packets.size(), 0);
  for (const int64_t packet : pass.frames) {
    if (packet < 0) return false;
    ++frames[static_cast<size_t>(packet)];
  }
  for (size_t i = 0; i < frames.size(); ++i)
    if (frames[i] != (pass.packets[i].hidden ? 0 : 1)) return false;
  return true;
}

/// The presentation order by the container's timestamps; empty if they do not define one.
std::vector<int64_t> order_by_time(const Pass& pass) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < pass.packets.size(); ++i) {
    if (pass.packets[i].hidden) continue;
    if (pass.packets[i].pts == kNoTime) return {};
    order.push_back(static_cast<int64_t>(i));
  }
  const auto time = [&](int64_t packet) { return pass.packets[static_cast<size_t>(packet)].pts; };
  std::ranges::sort(order, {}, time);
  if (std::ranges::adjacent_find(order, {}, time) != order.end()) return {};
  return order;
}

/// Whether the table of a long file can be trusted for the rest: only if it was correct for the decoded part.
bool believable(const Pass& pass, const std::vector<int64_t>& order, bool times_are_stored) {
  if (!times_are_stored || !pass.flawless || order.empty() || pass.frames.empty()) return false;
  // Drained mid-stream, the decoder delivers frames up to some time without gaps, and perhaps more with gaps;
  // the first half is well before that.
  const size_t compare = pass.frames.size() / 2;
  return std::equal(pass.frames.begin(), pass.frames.begin() + static_cast<std::ptrdiff_t>(compare),
                    order.begin());
}

double mean_rate(const Pass& pass, const std::vector<int64_t>& frames, double declared) {
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (const int64_t packet : frames) {
    const int64_t time = packet < 0 ? kNoTime : pass.packets[static_cast<size_t>(packet)].pts;
    if (time == kNoTime) return declared;
    low = std::min(low, time), high = std::max(high, time);
  }
  const double rate = likely_frame_rate(std::ssize(frames), low, high, pass.tick, declared);
  return rate > 0.01 && rate < 1000 ? rate : declared;
}

}  // namespace

std::shared_ptr<const VideoIndex> index_video(const std::filesystem::path& file, Trust trust,
                                              const std::atomic<bool>* cancel, const PacketSink& on_packet) {
  const auto run = [&](int64_t limit, std::shared_ptr<const StreamSetup>& setup) {
    Watch watch(cancel);
    Demuxer source(file, watch);
    VideoDecoder decoder(source, Effort::count);
    setup = source.setup();
    return scan(source, decoder, watch, limit, on_packet);
  };
  auto index = std::make_shared<VideoIndex>();
  Pass pass = run(trust == Trust::nothing ? INT64_MAX : kVerifyPackets, index->setup);
  if (!pass.complete) {
    std::vector<int64_t> order = order_by_time(pass);
    if (believable(pass, order, index->setup->timestamps_from_container))
      pass.frames = std::move(order);
    else
      pass = run(INT64_MAX, index->setup);
  }
  if (pass.frames.empty()) {
    throw_if_memory_was_short(file);
    const std::string& why = pass.first_error.empty() ? pass.read_error : pass.first_error;
    throw FileError(file.string(),
                    text("no picture can be decoded from its ", pass.packets.size(), " video packets",
                         why.empty() ? "" : " (" + why + ")"),
                    "The file is damaged or encrypted; download or copy it again.");
  }
  const double declared = index->setup->average_fps;
  index->width = pass.width, index->height = pass.height;
  const bool own = !index->setup->has_matrix && pass.has_matrix;
  index->rotation = own ? pass.rotation : index->setup->rotation;
  index->mirror = own ? pass.mirror : index->setup->mirror;
  index->fps = mean_rate(pass, pass.frames, declared > 0.01 && declared < 1000 ? declared : 25);
  index->tick = pass.tick;
  index->size_change = pass.size_change;
  index->exact_packets = pass.flawless && pass.size_change.empty() && one_frame_each(pass);
  index->verified = pass.complete;
  index->decode_errors = pass.errors;
  index->damaged_frames = pass.damaged;
  index->first_error = pass.first_error;
  index->read_error = pass.read_error;
  index->container_complaint = pass.container_complaint;
  index->packets = std::move(pass.packets);
  index->ends_damaged = pass.first_damage == static_cast<int64_t>(index->packets.size()) - 1;
  index->packet_of_frame.assign(pass.frames.begin(), pass.frames.end());
  return index;
}

}  // namespace laban
