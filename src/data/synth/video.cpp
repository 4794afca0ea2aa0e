#include "data/synth/video.h"

#include "core/error.h"
#include "data/video/libav.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace laban::synth {
namespace {

/// Throws unless `code` is a success; says what was being done.
int check(int code, const char* doing) {
  if (code >= 0) return code;
  const std::string complaint = av::first_complaint();
  throw Error(text("cannot create the dance video: ", doing, " failed (", av::error_text(code),
                   complaint.empty() ? "" : "; ", complaint, ")"),
              "The installed FFmpeg and libx264 may be incompatible; reinstall them.");
}

struct FreeFormat {
  void operator()(AVFormatContext* p) const {
    if (p->pb) {
      uint8_t* bytes = nullptr;
      avio_close_dyn_buf(p->pb, &bytes);
      av_free(bytes);
    }
    avformat_free_context(p);
  }
};

}  // namespace

struct VideoEncoder::State {
  std::unique_ptr<AVFormatContext, FreeFormat> format;
  av::CodecContext codec;
  av::FramePtr frame = av::make_frame();
  av::Packet packet = av::make_packet();
  AVStream* stream = nullptr;
  int64_t frames = 0;

  /// Hands `frame` (null: the end) to the encoder and writes the packets that come out.
  void encode(const AVFrame* picture) {
    check(avcodec_send_frame(codec.get(), picture), "encoding a frame");
    for (;;) {
      const int code = avcodec_receive_packet(codec.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code, "encoding a frame");
      av_packet_rescale_ts(packet.get(), codec->time_base, stream->time_base);
      packet->stream_index = stream->index;
      packet->duration = av_rescale_q(1, codec->time_base, stream->time_base);
      check(av_interleaved_write_frame(format.get(), packet.get()), "writing a packet");
    }
  }
};

VideoEncoder::VideoEncoder(int width, int height, int frames_per_second) : state_(std::make_unique<State>()) {
  av::silence_log();
  av::forget_complaints();
  const AVCodec* x264 = avcodec_find_encoder_by_name("libx264");
  if (!x264)
    throw Error("this machine's libavcodec lacks the encoder libx264, which is needed to encode the dances",
                "Install an FFmpeg built with libx264 (Debian: libavcodec-extra or libavcodec59).");
  State& s = *state_;
  AVFormatContext* format = nullptr;
  check(avformat_alloc_output_context2(&format, nullptr, "mp4", nullptr), "opening the mp4 muxer");
  s.format.reset(format);
  check(avio_open_dyn_buf(&format->pb), "opening a memory buffer");
  format->flags |= AVFMT_FLAG_BITEXACT;

  s.codec.reset(avcodec_alloc_context3(x264));
  if (!s.codec) throw std::bad_alloc();
  AVCodecContext& c = *s.codec;
  c.width = width, c.height = height;
  c.pix_fmt = AV_PIX_FMT_YUV420P;
  c.time_base = {1, frames_per_second};
  c.framerate = {frames_per_second, 1};
  c.sample_aspect_ratio = {1, 1};
  c.colorspace = AVCOL_SPC_SMPTE170M, c.color_primaries = AVCOL_PRI_SMPTE170M,
  c.color_trc = AVCOL_TRC_SMPTE170M;
  c.color_range = AVCOL_RANGE_MPEG;
  c.gop_size = 4 * frames_per_second;
  c.max_b_frames = 2;
  c.thread_count = 1;
  c.flags |= AV_CODEC_FLAG_BITEXACT;
  if (format->oformat->flags & AVFMT_GLOBALHEADER) c.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  // b-adapt 0: B-frames always, however the dancers move. mbtree 0: with libx264 164 and pictures this small,
  // its vector code for macroblock trees gives other bytes from one encoder to the next; without it they are
  // the same.
  check(av_opt_set(c.priv_data, "preset", "veryfast", 0), "choosing the preset");
  check(av_opt_set(c.priv_data, "crf", "20", 0), "choosing the quality");
  check(av_opt_set(c.priv_data, "x264-params", "b-adapt=0:scenecut=0:mbtree=0", 0), "choosing B-frames");
  check(avcodec_open2(&c, x264, nullptr), "opening libx264");

  s.stream = avformat_new_stream(format, nullptr);
  if (!s.stream) throw std::bad_alloc();
  s.stream->time_base = c.time_base;
  s.stream->avg_frame_rate = c.framerate;
  check(avcodec_parameters_from_context(s.stream->codecpar, &c), "describing the stream");
  check(avformat_write_header(format, nullptr), "writing the header");

  s.frame->format = c.pix_fmt, s.frame->width = width, s.frame->height = height;
  check(av_frame_get_buffer(s.frame.get(), 0), "allocating a frame");
}

VideoEncoder::~VideoEncoder() = default;

void VideoEncoder::add(const Canvas& canvas) {
  AVFrame& frame = *state_->frame;
  check(av_frame_make_writable(&frame),
        "allocating a frame");  // the encoder may still hold the last one's buffers
  to_yuv420(canvas, frame.data[0], frame.linesize[0], frame.data[1], frame.linesize[1], frame.data[2],
            frame.linesize[2]);
  frame.pts = state_->frames++;
  state_->encode(&frame);
}

std::string VideoEncoder::finish() {
  State& s = *state_;
  s.encode(nullptr);
  check(av_write_trailer(s.format.get()), "ending the file");
  uint8_t* bytes = nullptr;
  const int size = avio_close_dyn_buf(s.format->pb, &bytes);
  s.format->pb = nullptr;
  const std::unique_ptr<uint8_t, decltype(&av_free)> owner(bytes, &av_free);
  return {bytes, bytes + check(size, "ending the file")};
}

}  // namespace laban::synth
