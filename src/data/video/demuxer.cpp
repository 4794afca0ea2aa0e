#include "data/video/demuxer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/machine_error.h"
#include "data/video/container_kind.h"
#include "data/video/libav_compat.h"
#include "data/video/mp4_tracks.h"
#include "data/video/video.h"

namespace laban {
namespace {

int interrupted(void* watch) {
  const Watch& w = *static_cast<const Watch*>(watch);
  return w.canceled() || w.expired();
}

int open_nothing(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EACCES);
}

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what,
                         const std::string& advice) {
  throw FileError(file.string(), what, advice);
}

/// Describes a failed libav call: the error code's text, plus libav's log message if there is one.
std::string reason(int code) {
  const std::string complaint = av::first_complaint();
  return complaint.empty() ? av::error_text(code) : av::error_text(code) + " (" + complaint + ")";
}

bool is_cover(const AVStream& stream) {
  return stream.disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS);
}

/// Index of the first video stream that is not a cover picture, or -1; records what else there is.
int choose_stream(const AVFormatContext& input, std::string& found) {
  for (unsigned i = 0; i < input.nb_streams; ++i) {
    const AVStream& stream = *input.streams[i];
    const bool video = stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    if (video && !is_cover(stream)) return static_cast<int>(i);
    const char* kind = av_get_media_type_string(stream.codecpar->codec_type);
    found += (found.empty() ? "" : ", ") + std::string(video  ? "a cover picture"
                                                       : kind ? kind
                                                              : "unknown data");
  }
  return -1;
}

bool container_is(const AVFormatContext& input, std::string_view part) {
  return std::string_view(input.iformat->name).find(part) != std::string_view::npos;
}

/// The number of packets that, by the table, end past the end of the file.
int64_t packets_beyond(AVStream& stream, int64_t end) {
  int64_t beyond = 0;
  for (int i = 0; i < avformat_index_get_entries_count(&stream); ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(&stream, i);
    beyond += entry && entry->pos > end - entry->size;
  }
  return beyond;
}

}  // namespace

bool orientation_of(const int32_t* matrix, int& rotation, bool& mirror) {
  // The matrix maps (x, y) to (a x + c y, b x + d y), y pointing down; 16.16 fixed point. Identity: a = d
  // = 1. Turning by 90 degrees clockwise maps (x, y) to (-y, x): b = 1, c = -1. A mirror after that negates a
  // and c.
  int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  const auto sign = [](int64_t large, int64_t small) {
    return std::llabs(large) > 100 * std::llabs(small) ? (large > 0 ? 1 : -1) : 0;
  };
  const bool straight = sign(a, b) && sign(d, c), turned = sign(b, a) && sign(c, d);
  if (!straight && !turned) return false;
  const bool mirrored = straight ? (a > 0) != (d > 0) : (b > 0) == (c > 0);
  if (mirrored) a = -a;
  rotation = straight ? (a > 0 ? 0 : 180) : (b > 0 ? 90 : 270);
  mirror = mirrored;
  return true;
}

Demuxer::Demuxer(const std::filesystem::path& file, Watch& watch, std::shared_ptr<const StreamSetup> known)
    : file_(file, "Give a video file, or a folder of JPEG or PNG frames."),
      watch_(watch),
      input_bytes_(file_, watch),
      bytes_(file_.size()) {
  av::silence_log();
  av::forget_complaints();
  if (bytes_ == 0) refuse(file, "the file is empty", "Download or copy it again.");
  if (!known && has_unnumbered_fragments(file_))
    refuse(file, "is a damaged MP4 file: one of its tracks has no ID", "Download or copy it again.");
  open();
  if (known && known->header_suffices && known->stream < static_cast<int>(input_->nb_streams))
    setup_ = std::move(known);
  else
    describe();
  complaint_ = av::first_complaint();
  for (unsigned i = 0; i < input_->nb_streams; ++i)
    if (static_cast<int>(i) != setup_->stream) input_->streams[i]->discard = AVDISCARD_ALL;
}

/// What libav takes the file for. Its name counts for no more than its extension: "a%03d.png" is one file.
const AVInputFormat& Demuxer::detect(const std::string& name) {
  const AVInputFormat* format = nullptr;
  const int score = av_probe_input_buffer2(input_bytes_.io(), &format, name.c_str(), nullptr, 0, 0);
  check_watch();
  if (score < 0) format = nullptr;
  if (!format || !is_video_container(*format)) refuse_other(format, score, score);
  return *format;
}

/// `code`: libav's, of what failed; where that is no failure, only the kind of file is wrong.
void Demuxer::refuse_other(const AVInputFormat* format, int score, int code) const {
  std::array<uint8_t, 4096> head{};
  const auto got = static_cast<size_t>(std::max<int64_t>(file_.read(0, head), 0));
  const OtherFile other = other_file(std::span(head).first(got), format, score);
  if (!other.kind.empty())
    throw NoVideoError(file().string(), "is " + other.kind + ", not a video", std::string(other.advice));
  throw_if_machine_fault(file(), AVUNERROR(code));
  refuse(file(), "is not a readable video file" + (code < 0 ? ": " + reason(code) : ""),
         "Download or copy it again, or convert it with ffmpeg.");
}

void Demuxer::open() {
  const std::string extension = file().extension().string();
  const bool plain =
      std::ranges::all_of(extension, [](unsigned char c) { return c == '.' || std::isalnum(c); });
  const std::string name = "video" + (plain ? extension : "");
  const AVInputFormat& format = detect(name);
  if (std::string_view(format.name).find("mp4") != std::string_view::npos)
    if (const std::optional<std::string> other = pictures_elsewhere(file_))
      refuse(file(),
             "keeps its pictures in another file" + (other->empty() ? "" : " (" + visible(*other) + ")") +
                 ", which is not opened",
             "Combine them into one file, for instance with ffmpeg -i IN -c copy OUT.mp4.");

  AVFormatContext* raw = avformat_alloc_context();
  if (!raw) throw std::bad_alloc();
  raw->pb = input_bytes_.io();
  raw->interrupt_callback = {interrupted, &watch_};
  // Everything is read from this descriptor. Nothing in the file can make libav open another file: no
  // protocols and no other demuxers may be used, and MP4's references are not followed.
  raw->io_open = open_nothing;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "none", 0);
  av_dict_set(&options, "format_whitelist", video_containers(), 0);
  av_dict_set(&options, "enable_drefs", "0", 0);
  av_dict_set(&options, "use_absolute_path", "0", 0);
  const int code = avformat_open_input(&raw, name.c_str(), &format, &options);
  av_dict_free(&options);
  if (code < 0) {  // raw is freed and null
    check_watch();
    refuse_other(nullptr, 0, code);
  }
  input_.reset(raw);
}

void Demuxer::describe() {
  const int code = avformat_find_stream_info(input_.get(), nullptr);
  check_watch();
  if (code < 0) throw_if_machine_fault(file(), AVUNERROR(code));
  if (code < 0) refuse(file(), "cannot read its streams: " + reason(code), "Download or copy it again.");
  auto setup = std::make_shared<StreamSetup>();
  std::string found;
  setup->stream = choose_stream(*input_, found);
  if (setup->stream < 0)
    throw NoVideoError(file().string(),
                       "has no video stream" + (found.empty() ? " and no other" : " (only " + found + ")"),
                       "Give a file that contains video.");
  AVStream& stream = *input_->streams[setup->stream];
  setup->parameters.reset(avcodec_parameters_alloc());
  if (!setup->parameters || avcodec_parameters_copy(setup->parameters.get(), stream.codecpar) < 0)
    throw std::bad_alloc();
  setup->time_base = stream.time_base;
  const AVRational rate = stream.avg_frame_rate.num > 0 && stream.avg_frame_rate.den > 0
                              ? stream.avg_frame_rate
                              : stream.r_frame_rate;
  setup->average_fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
  if (const int32_t* matrix = av::display_matrix(stream))
    setup->has_matrix = orientation_of(matrix, setup->rotation, setup->mirror);
  setup->timestamps_from_container = container_is(*input_, "mp4") || container_is(*input_, "matroska");
  setup->header_suffices = container_is(*input_, "mp4");
  setup->container = input_->iformat->name;
  setup->codec = avcodec_get_name(stream.codecpar->codec_id);
  setup->declared_frames = stream.nb_frames;
  if (stream.duration > 0)
    setup->declared_seconds = static_cast<double>(stream.duration) * av_q2d(stream.time_base);
  if (container_is(*input_, "mp4")) setup->packets_beyond_end = packets_beyond(stream, bytes_);
  setup_ = std::move(setup);
}

void Demuxer::check_watch() const {
  if (watch_.canceled()) throw Canceled{};
  watch_.time().check(file());
  if (watch_.expired())
    refuse(file(), text("nothing could be read or decoded for ", watch_.seconds(), " seconds"),
           "The file is damaged, or its disk does not respond; copy it again or leave it out.");
}

bool Demuxer::seek(double fraction) {
  const AVStream& stream = *input_->streams[setup_->stream];
  const double whole = static_cast<double>(input_->duration) / AV_TIME_BASE;
  const double seconds = setup_->declared_seconds > 0 ? setup_->declared_seconds : whole;
  if (!(seconds > 0)) return false;
  const int64_t start = stream.start_time == AV_NOPTS_VALUE ? 0 : stream.start_time;
  const auto ticks = static_cast<int64_t>(fraction * seconds / av_q2d(stream.time_base));
  const int code = av_seek_frame(input_.get(), setup_->stream, start + ticks, AVSEEK_FLAG_BACKWARD);
  check_watch();
  return code >= 0;
}

bool Demuxer::read(AVPacket& packet) {
  while (true) {
    av_packet_unref(&packet);
    check_watch();
    av::forget_complaints();
    const int code = av_read_frame(input_.get(), &packet);
    if (complaint_.empty()) complaint_ = av::first_complaint();
    if (code == AVERROR(EAGAIN)) continue;
    if (code < 0) {
      check_watch();
      if (code == AVERROR_EOF) return false;
      throw_if_machine_fault(file(), AVUNERROR(code));
      read_error_ = reason(code);
      return false;
    }
    if (packet.stream_index != setup_->stream) continue;
    if (packet.size > 0 || packet.side_data_elems > 0) watch_.progress();
    return true;
  }
}

}  // namespace laban
