#include "data/made_clips.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

namespace laban::test {
namespace {

struct Free {
  void operator()(AVFormatContext* p) const {
    if (p->pb) avio_closep(&p->pb);
    avformat_free_context(p);
  }
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using Picture = std::unique_ptr<AVFrame, Free>;

int need(int code, const char* what) {
  if (code < 0) throw std::runtime_error(std::string("making a test video: ") + what);
  return code;
}

const AVCodec* encoder(const std::string& name = "") {
  if (!name.empty()) return avcodec_find_encoder_by_name(name.c_str());
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  return codec ? codec : avcodec_find_encoder(AV_CODEC_ID_MPEG4);
}

void paint(AVFrame& frame, int number) {
  const int shade = shade_of(number);
  for (int y = 0; y < frame.height; ++y)
    for (int x = 0; x < frame.width; ++x)
      frame.data[0][y * frame.linesize[0] + x] =
          static_cast<uint8_t>(x < frame.width / 2 ? shade : 255 - shade);
  for (int p = 1; p < 3; ++p)
    for (int y = 0; y < (frame.height + 1) / 2; ++y)
      std::memset(frame.data[p] + y * frame.linesize[p], 128, static_cast<size_t>((frame.width + 1) / 2));
}

Picture new_picture(int width, int height, AVPixelFormat format) {
  Picture picture(av_frame_alloc());
  picture->width = width, picture->height = height, picture->format = format;
  need(av_frame_get_buffer(picture.get(), 0), "buffer");
  return picture;
}

/// The picture in another pixel format, colors kept.
Picture converted(const AVFrame& from, AVPixelFormat format, bool full_range) {
  Picture to = new_picture(from.width, from.height, format);
  const std::unique_ptr<SwsContext, Free> scaler(
      sws_getContext(from.width, from.height, static_cast<AVPixelFormat>(from.format), from.width,
                     from.height, format, SWS_BILINEAR | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
  if (!scaler) throw std::runtime_error("making a test video: pixel format");
  const int* matrix = sws_getCoefficients(SWS_CS_ITU601);
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  const bool rgb = d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
  sws_setColorspaceDetails(scaler.get(), matrix, full_range, matrix, rgb || full_range, 0, 1 << 16, 1 << 16);
  sws_scale(scaler.get(), from.data, from.linesize, 0, from.height, to->data, to->linesize);
  return to;
}

}  // namespace

Folder::Folder(const std::string& name)
    : path_(std::filesystem::temp_directory_path() /
            ("laban_test_" + name + "_" + std::to_string(getpid()))) {
  std::filesystem::remove_all(path_);
  std::filesystem::create_directories(path_);
}
Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool can_encode(const std::string& name) { return encoder(name) != nullptr; }
std::string encoder_name() { return encoder()->name; }

int shade_of(int number) { return 40 + number * 53 % 176; }

void make_video(const std::filesystem::path& file, const MadeVideo& how) {
  av_log_set_level(AV_LOG_QUIET);
  std::filesystem::create_directories(file.parent_path());
  AVFormatContext* raw = nullptr;
  need(avformat_alloc_output_context2(&raw, nullptr, nullptr, file.c_str()), "container");
  const std::unique_ptr<AVFormatContext, Free> output(raw);
  const AVCodec* codec = encoder(how.encoder);
  if (!codec) throw std::runtime_error("making a test video: no encoder " + how.encoder);
  const AVPixelFormat format = av_get_pix_fmt(how.pixel_format.c_str());
  const std::unique_ptr<AVCodecContext, Free> context(avcodec_alloc_context3(codec));
  context->width = how.width, context->height = how.height;
  context->pix_fmt = format;
  context->time_base = {1, 25};
  context->framerate = {25, 1};
  context->gop_size = how.gop;
  context->max_b_frames = codec->capabilities & AV_CODEC_CAP_DELAY ? how.b_frames : 0;
  context->thread_count = 1;
  context->color_range = how.full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  context->colorspace = AVCOL_SPC_SMPTE170M;
  context->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
  if (std::string(codec->name) == "libx264") {
    av_opt_set(context->priv_data, "preset", "ultrafast", 0);
    av_opt_set_int(context->priv_data, "crf", 10, 0);
    av_opt_set(context->priv_data, "x264-params",
               ("bframes=" + std::to_string(how.b_frames) + ":b-adapt=0:scenecut=0").c_str(), 0);
  } else {
    // Codecs with a quantizer of their own take it from here; the others from their options.
    context->flags |= AV_CODEC_FLAG_QSCALE;
    context->global_quality = 2 * FF_QP2LAMBDA;
    context->bit_rate = 2'000'000;
  }
  if (!how.options.empty())
    need(av_set_options_string(context->priv_data, how.options.c_str(), "=", ":"), "options");
  if (output->oformat->flags & AVFMT_GLOBALHEADER) context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  need(avcodec_open2(context.get(), codec, nullptr), "encoder");
  AVStream* stream = avformat_new_stream(output.get(), nullptr);
  need(avcodec_parameters_from_context(stream->codecpar, context.get()), "parameters");
  stream->time_base = context->time_base;
  need(avio_open(&output->pb, file.c_str(), AVIO_FLAG_WRITE), "file");
  AVDictionary* muxing = nullptr;
  need(av_dict_parse_string(&muxing, how.muxer_options.c_str(), "=", ":", 0), "options of the container");
  const int wrote = avformat_write_header(output.get(), &muxing);
  av_dict_free(&muxing);
  need(wrote, "header");

  const std::unique_ptr<AVPacket, Free> packet(av_packet_alloc());
  const auto write = [&](const AVFrame* frame) {
    need(avcodec_send_frame(context.get(), frame), "frame");
    while (avcodec_receive_packet(context.get(), packet.get()) >= 0) {
      if (packet->duration == 0) packet->duration = 1;
      av_packet_rescale_ts(packet.get(), context->time_base, stream->time_base);
      packet->stream_index = 0;
      need(av_interleaved_write_frame(output.get(), packet.get()), "packet");
    }
  };
  int64_t time = how.first_ms / 40;
  for (int k = 0; k < how.frames; ++k) {
    Picture frame = new_picture(how.width, how.height, AV_PIX_FMT_YUV420P);
    paint(*frame, how.first + k);
    if (format != AV_PIX_FMT_YUV420P) frame = converted(*frame, format, how.full_range);
    frame->pts = time;
    time += how.hold.empty() ? 1 : how.hold[static_cast<size_t>(k) % how.hold.size()];
    frame->quality = context->global_quality;
    write(frame.get());
  }
  write(nullptr);
  need(av_write_trailer(output.get()), "trailer");
}

void make_endless_video(const std::filesystem::path& file) {
  make_video(file, {.frames = 10});
  std::filesystem::resize_file(file, uintmax_t{1} << 36);
}

void make_sound(const std::filesystem::path& file) {
  constexpr unsigned kRate = 8000;  // one byte a sample
  std::vector<unsigned char> bytes(44 + kRate, 128);
  const auto put = [&](size_t at, const char* word) {
    std::copy_n(word, 4, bytes.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const auto number = [&](size_t at, unsigned value, int size) {
    for (int i = 0; i < size; ++i)
      bytes[at + static_cast<size_t>(i)] = static_cast<unsigned char>(value >> (8 * i));
  };
  put(0, "RIFF"), number(4, 36 + kRate, 4), put(8, "WAVE"), put(12, "fmt "), number(16, 16, 4),
      number(20, 1, 2);
  number(22, 1, 2), number(24, kRate, 4), number(28, kRate, 4), number(32, 1, 2), number(34, 8, 2),
      put(36, "data");
  number(40, kRate, 4);
  write_bytes(file, bytes);
}

std::vector<unsigned char> tiny_bmp() {
  // 54 bytes of header, then two rows of six bytes, padded to eight.
  std::vector<unsigned char> bytes(70, 128);
  std::fill_n(bytes.begin(), 54, static_cast<unsigned char>(0));
  bytes[0] = 'B', bytes[1] = 'M', bytes[2] = 70, bytes[10] = 54, bytes[14] = 40;
  bytes[18] = bytes[22] = 2, bytes[26] = 1, bytes[28] = 24;
  return bytes;
}

std::vector<unsigned char> bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::filesystem::path& file, const std::vector<unsigned char>& bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace laban::test
