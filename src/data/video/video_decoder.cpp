#include "data/video/video_decoder.h"

#include <algorithm>
#include <cstring>

#include "core/machine_error.h"
#include "data/picture/decode_limits.h"

namespace laban {
namespace {

/// If every picture is coded independently, nothing is known about the contents of its damaged parts. They
/// keep the buffer's contents: black or green, as in the first pictures that ffmpeg decodes, not remnants of
/// an earlier picture.
int blank_buffer(AVCodecContext* context, AVFrame* frame, int flags) {
  const int code = avcodec_default_get_buffer2(context, frame, flags);
  if (code < 0) return code;
  for (const AVBufferRef* buffer : frame->buf)
    if (buffer) std::memset(buffer->data, 0, buffer->size);
  return code;
}

bool has_only_whole_pictures(AVCodecID codec) {
  const AVCodecDescriptor* const descriptor = avcodec_descriptor_get(codec);
  return descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY);
}

}  // namespace

VideoDecoder::VideoDecoder(const Demuxer& source, Effort effort) : file_(source.file()) {
  const AVCodecParameters& parameters = *source.setup()->parameters;
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  const std::string name = avcodec_get_name(parameters.codec_id);
  const std::string advice = "Convert it, for instance with ffmpeg -i IN -c:v libx264 OUT.mp4.";
  if (!codec)
    throw FileError(source.file().string(),
                    parameters.codec_id == AV_CODEC_ID_NONE
                        ? "its video format is unknown to this version of libav"
                        : "there is no decoder for its video format " + name,
                    advice);
  context_.reset(avcodec_alloc_context3(codec));
  if (!context_) throw std::bad_alloc();
  av::forget_complaints();
  int code = avcodec_parameters_to_context(context_.get(), &parameters);
  // One thread: many files are decoded in parallel, and frame threading would delay pictures.
  context_->thread_count = 1;
  context_->max_pixels = decode_limits().pixels;
  // Packets carry ordinals instead of timestamps, one tick each.
  context_->pkt_timebase = {1, 1000};
  stands_alone_ = has_only_whole_pictures(parameters.codec_id);
  if (stands_alone_ && (codec->capabilities & AV_CODEC_CAP_DR1)) context_->get_buffer2 = blank_buffer;
  if (effort == Effort::count) context_->skip_loop_filter = AVDISCARD_ALL;
  if (code >= 0) code = avcodec_open2(context_.get(), codec, nullptr);
  if (code < 0) {
    throw_if_machine_fault(file_, AVUNERROR(code));
    const std::string complaint = av::first_complaint();
    throw FileError(source.file().string(),
                    "cannot start the decoder for its video format " + name + ": " + av::error_text(code) +
                        (complaint.empty() ? "" : " (" + complaint + ")"),
                    advice);
  }
}

void VideoDecoder::note_error(int code) {
  // Frames would be missing for want of memory. A picture of absurd size may want more than there ever is.
  constexpr size_t kBytesAPixel = 8;
  const auto pixels =
      static_cast<size_t>(std::max(0, context_->width)) * static_cast<size_t>(std::max(0, context_->height));
  throw_if_machine_fault(file_, AVUNERROR(code), std::max(size_t{64} << 20, kBytesAPixel * pixels));
  if (errors_++ > 0) return;
  first_error_ = av::first_complaint();
  if (first_error_.empty()) first_error_ = av::error_text(code);
}

void VideoDecoder::decode(AVPacket& packet, int64_t ordinal, const Sink& sink) {
  if (context_->codec_id == AV_CODEC_ID_MJPEG)
    require_few_scans(file_, {packet.data, static_cast<size_t>(packet.size)}, context_->width,
                      context_->height);
  packet.pts = packet.dts = ordinal;
  av::forget_complaints();
  const int code = avcodec_send_packet(context_.get(), &packet);
  if (code < 0) return note_error(code);
  receive(sink);
}

void VideoDecoder::drain(const Sink& sink) {
  avcodec_send_packet(context_.get(), nullptr);
  receive(sink);
}

void VideoDecoder::receive(const Sink& sink) {
  // If the decoder fails while being drained, try again, but not forever.
  for (int failures = 0; failures < 100;) {
    const int code = avcodec_receive_frame(context_.get(), frame_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    if (code < 0) {
      note_error(code);
      ++failures;
      continue;
    }
    // These decoders log errors, but do not set the picture's flags.
    if (const std::string complaint = stands_alone_ ? av::first_complaint() : ""; !complaint.empty()) {
      frame_->decode_error_flags |= FF_DECODE_ERROR_INVALID_BITSTREAM;
      if (first_error_.empty()) first_error_ = complaint;
    }
    sink(*frame_);
    av_frame_unref(frame_.get());
  }
}

void VideoDecoder::restart() { avcodec_flush_buffers(context_.get()); }

}  // namespace laban
