#include "data/video/index_code.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "data/video/byte_code.h"
#include "data/video/demuxer.h"

namespace laban {
namespace {

constexpr uint64_t kFormat = 3;

/// Calls `field` for every number in the parameters that a video decoder uses.
template <class Parameters, class Field>
void each_field(Parameters& p, const Field& field) {
  field(p.codec_type), field(p.codec_id), field(p.codec_tag), field(p.format);
  field(p.bit_rate), field(p.bits_per_coded_sample), field(p.bits_per_raw_sample);
  field(p.profile), field(p.level), field(p.width), field(p.height);
  field(p.sample_aspect_ratio.num), field(p.sample_aspect_ratio.den);
  field(p.field_order), field(p.color_range), field(p.color_primaries), field(p.color_trc);
  field(p.color_space), field(p.chroma_location), field(p.video_delay);
}

void write_setup(ByteWriter& to, const StreamSetup& s) {
  to.number(static_cast<uint64_t>(s.stream));
  to.signed_number(s.time_base.num), to.signed_number(s.time_base.den);
  to.real(s.average_fps), to.real(s.declared_seconds);
  to.signed_number(s.rotation), to.signed_number(s.declared_frames);
  to.number(static_cast<uint64_t>(s.mirror | s.has_matrix << 1 | s.header_suffices << 2 |
                                  s.timestamps_from_container << 3));
  to.name(s.container), to.name(s.codec);
  const AVCodecParameters& p = *s.parameters;
  each_field(p, [&](const auto& value) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(value)>>)
      to.signed_number(av::number_of(value));
    else
      to.signed_number(static_cast<int64_t>(value));
  });
  to.name({reinterpret_cast<const char*>(p.extradata), static_cast<size_t>(std::max(0, p.extradata_size))});
}

/// Null if the bytes do not describe a video stream.
std::shared_ptr<const StreamSetup> read_setup(ByteReader& from) {
  auto s = std::make_shared<StreamSetup>();
  s->stream = static_cast<int>(from.number());
  s->time_base.num = static_cast<int>(from.signed_number());
  s->time_base.den = static_cast<int>(from.signed_number());
  s->average_fps = from.real(), s->declared_seconds = from.real();
  s->rotation = static_cast<int>(from.signed_number());
  s->declared_frames = from.signed_number();
  const uint64_t flags = from.number();
  s->mirror = flags & 1, s->has_matrix = flags & 2, s->header_suffices = flags & 4;
  s->timestamps_from_container = flags & 8;
  s->container = from.name(), s->codec = from.name();
  s->parameters.reset(avcodec_parameters_alloc());
  if (!s->parameters) throw std::bad_alloc();
  AVCodecParameters& p = *s->parameters;
  each_field(p, [&](auto& value) {
    using Field = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_enum_v<Field>) {
      const auto number = static_cast<int>(from.signed_number());
      std::memcpy(&value, &number,
                  sizeof value);  // libav stores the file's value, even if the enumeration lacks it
    } else {
      value = static_cast<Field>(from.signed_number());
    }
  });
  const int codec = av::number_of(p.codec_id);
  if (av::number_of(p.codec_type) != AVMEDIA_TYPE_VIDEO || codec < 0 || codec >= AV_CODEC_ID_FIRST_AUDIO)
    return nullptr;
  const std::string extradata = from.name();
  if (!extradata.empty()) {
    // libav's bit readers read a little past the end, where there must be zeros.
    p.extradata = static_cast<uint8_t*>(av_mallocz(extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    if (!p.extradata) throw std::bad_alloc();
    std::ranges::copy(extradata, p.extradata);
    p.extradata_size = static_cast<int>(extradata.size());
  }
  return s;
}

/// Whether an index has everything that its readers rely on.
bool is_usable(const VideoIndex& index) {
  const bool turned =
      index.rotation == 0 || index.rotation == 90 || index.rotation == 180 || index.rotation == 270;
  if (index.frame_count() == 0 || index.width <= 0 || index.height <= 0 || index.setup->stream < 0 ||
      !turned || !std::isfinite(index.fps) || !std::isfinite(index.tick))
    return false;
  // Frames are found by their packets or, in a file of which only the beginning was decoded, identified by
  // them.
  if (!index.exact_packets && index.verified) return true;
  std::vector<bool> shown(index.packets.size(), false);
  for (const int32_t packet : index.packet_of_frame) {
    if (packet < 0 || shown[static_cast<size_t>(packet)]) return false;
    shown[static_cast<size_t>(packet)] = true;
  }
  return true;
}

}  // namespace

uint64_t index_code_version() {
  return kFormat << 56 ^ static_cast<uint64_t>(avcodec_version()) << 24 ^ avformat_version();
}

std::string encode_index(const VideoIndex& index) {
  ByteWriter to;
  write_setup(to, *index.setup);
  to.number(static_cast<uint64_t>(index.width)), to.number(static_cast<uint64_t>(index.height));
  to.name(index.size_change);
  to.signed_number(index.rotation);
  to.number(static_cast<uint64_t>(index.mirror | index.exact_packets << 1 | index.verified << 2));
  to.real(index.fps), to.real(index.tick);
  to.number(static_cast<uint64_t>(index.decode_errors));
  to.number(static_cast<uint64_t>(index.damaged_frames));
  to.name(index.first_error), to.name(index.read_error);
  // Times and frames are stored as differences from the previous one, most of which fit in one or two bytes.
  to.number(index.packets.size());
  int64_t time = 0;
  for (const VideoPacket& p : index.packets) {
    const bool timed = p.pts != kNoTime;
    to.number(static_cast<uint64_t>(p.key | p.restart << 1 | p.disposable << 2 | p.hidden << 3 | timed << 4));
    to.number(static_cast<uint64_t>(p.bytes));
    if (!timed) continue;
    to.signed_number(static_cast<int64_t>(static_cast<uint64_t>(p.pts) - static_cast<uint64_t>(time)));
    time = p.pts;
  }
  to.number(index.packet_of_frame.size());
  int64_t packet = 0;
  for (const int32_t p : index.packet_of_frame) to.signed_number(p - packet), packet = p;
  return to.take();
}

std::shared_ptr<const VideoIndex> decode_index(std::span<const std::byte> bytes) {
  ByteReader from(bytes);
  auto index = std::make_shared<VideoIndex>();
  index->setup = read_setup(from);
  if (!index->setup) return nullptr;
  index->width = static_cast<int>(from.number()), index->height = static_cast<int>(from.number());
  index->size_change = from.name();
  index->rotation = static_cast<int>(from.signed_number());
  const uint64_t flags = from.number();
  index->mirror = flags & 1, index->exact_packets = flags & 2, index->verified = flags & 4;
  index->fps = from.real(), index->tick = from.real();
  index->decode_errors = static_cast<int>(from.number());
  index->damaged_frames = static_cast<int>(from.number());
  index->first_error = from.name(), index->read_error = from.name();
  index->packets.resize(from.count());
  int64_t time = 0;
  for (VideoPacket& p : index->packets) {
    const uint64_t how = from.number();
    p.key = how & 1, p.restart = how & 2, p.disposable = how & 4, p.hidden = how & 8;
    p.bytes = static_cast<int32_t>(from.number());
    if (!(how & 16)) continue;
    time = static_cast<int64_t>(static_cast<uint64_t>(time) + static_cast<uint64_t>(from.signed_number()));
    p.pts = time;
  }
  index->packet_of_frame.resize(from.count());
  const auto packets = static_cast<int64_t>(index->packets.size());
  int64_t packet = 0;
  for (int32_t& p : index->packet_of_frame) {
    const int64_t step = from.signed_number();
    if (step < -packets - 1 || step > packets) return nullptr;
    packet += step;
    if (packet < -1 || packet >= packets) return nullptr;
    p = static_cast<int32_t>(packet);
  }
  return from.ok() && from.at_end() && is_usable(*index) ? index : nullptr;
}

}  // namespace laban
