#include "data/video/picture_converter.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <optional>
#include <string>

#include "core/error.h"

namespace laban {
namespace {

struct Target {
  PixelLayout layout;
  AVPixelFormat format;
  bool direct = false;  // the planes can be used as they are
};

/// How a pixel format is delivered; empty if it is not supported.
std::optional<Target> target_of(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVA420P:
      return Target{PixelLayout::yuv420p, AV_PIX_FMT_YUV420P, true};
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVA422P:
      return Target{PixelLayout::yuv422p, AV_PIX_FMT_YUV422P, true};
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVA444P:
      return Target{PixelLayout::yuv444p, AV_PIX_FMT_YUV444P, true};
    case AV_PIX_FMT_GRAY8:
      return Target{PixelLayout::gray8, AV_PIX_FMT_GRAY8, true};
    case AV_PIX_FMT_RGB24:
      return Target{PixelLayout::rgb24, AV_PIX_FMT_RGB24, true};
    default:
      break;
  }
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL) || !sws_isSupportedInput(format)) return std::nullopt;
  if ((d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) || d->nb_components == 2)
    return Target{PixelLayout::rgb24, AV_PIX_FMT_RGB24};
  if (d->nb_components == 1) return Target{PixelLayout::gray8, AV_PIX_FMT_GRAY8};
  if (d->log2_chroma_w == 0) return Target{PixelLayout::yuv444p, AV_PIX_FMT_YUV444P};
  if (d->log2_chroma_h == 0) return Target{PixelLayout::yuv422p, AV_PIX_FMT_YUV422P};
  return Target{PixelLayout::yuv420p, AV_PIX_FMT_YUV420P};
}

std::string format_name(const AVFrame& picture) {
  const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(picture.format));
  return name ? name : "unknown";
}

/// As specified; if not specified, limited for YUV and full for gray, as in libswscale.
bool full_range(const AVFrame& picture) {
  switch (static_cast<AVPixelFormat>(picture.format)) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
      return true;
    default:
      break;
  }
  const int range = av::number_of(picture.color_range);
  if (range == AVCOL_RANGE_JPEG || range == AVCOL_RANGE_MPEG) return range == AVCOL_RANGE_JPEG;
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(picture.format));
  return d && d->nb_components <= 2 && !(d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

/// If not specified, BT.601 whatever the size, as libswscale, and therefore most programs, assume.
ColorMatrix matrix_of(int space) {
  switch (space) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_SMPTE240M:
      return ColorMatrix::bt709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return ColorMatrix::bt2020;
    default:
      return ColorMatrix::bt601;
  }
}

}  // namespace

void require_supported(const std::filesystem::path& file, const AVFrame& picture) {
  const std::string advice =
      "Convert it, for instance with ffmpeg -i IN -pix_fmt yuv420p -c:v libx264 OUT.mp4.";
  if (!target_of(static_cast<AVPixelFormat>(picture.format)))
    throw FileError(file.string(), "its pixel format " + format_name(picture) + " is not supported", advice);
  const int space = av::number_of(picture.colorspace);
  if (space == AVCOL_SPC_YCGCO || space == AVCOL_SPC_ICTCP)
    throw FileError(
        file.string(),
        std::string("its color space ") + av_color_space_name(picture.colorspace) + " is not supported",
        advice);
}

Frame PictureConverter::convert(const std::filesystem::path& file, const AVFrame& picture) {
  require_supported(file, picture);
  const Target target = *target_of(static_cast<AVPixelFormat>(picture.format));
  const AVFrame* planes = &picture;
  if (!target.direct) {
    if (!converted_ || converted_->width != picture.width || converted_->height != picture.height ||
        converted_->format != target.format) {
      converted_ = av::make_frame();
      converted_->width = picture.width, converted_->height = picture.height,
      converted_->format = target.format;
      if (av_frame_get_buffer(converted_.get(), 0) < 0) throw std::bad_alloc();
    }
    scaler_.reset(sws_getCachedContext(
        scaler_.release(), picture.width, picture.height, static_cast<AVPixelFormat>(picture.format),
        picture.width, picture.height, target.format, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT,
        nullptr, nullptr, nullptr));
    if (!scaler_) require_supported(file, picture), throw std::bad_alloc();
    // Only the layout changes here: same range and matrix on both sides.
    const int* coefficients = sws_getCoefficients(SWS_CS_DEFAULT);
    const int range = full_range(picture);
    sws_setColorspaceDetails(scaler_.get(), coefficients, range, coefficients, range, 0, 1 << 16, 1 << 16);
    sws_scale(scaler_.get(), picture.data, picture.linesize, 0, picture.height, converted_->data,
              converted_->linesize);
    planes = converted_.get();
  }
  Frame frame;
  for (size_t i = 0; i < 3; ++i) frame.plane[i] = planes->data[i], frame.stride[i] = planes->linesize[i];
  frame.width = picture.width, frame.height = picture.height;
  frame.layout = target.layout;
  frame.matrix = matrix_of(av::number_of(picture.colorspace));
  frame.full_range = full_range(picture);
  return frame;
}

}  // namespace laban
