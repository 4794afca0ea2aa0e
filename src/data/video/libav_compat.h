// The differences between FFmpeg 5.1, 6 and 7 that matter here. No other code in laban depends on libav's
// version.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
}

namespace laban::av {

/// The nine numbers of the stream's display matrix, or null. Since libavcodec 60.31 (FFmpeg 6.1), a stream's
/// side data is in its codec parameters; before that, in the stream.
inline const int32_t* display_matrix(const AVStream& stream) {
  constexpr size_t kBytes = 9 * sizeof(int32_t);
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
  const AVPacketSideData* data = av_packet_side_data_get(
      stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  if (!data || data->size < kBytes) return nullptr;
  return reinterpret_cast<const int32_t*>(data->data);
#else
  size_t bytes = 0;
  const uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &bytes);
  if (!data || bytes < kBytes) return nullptr;
  return reinterpret_cast<const int32_t*>(data);
#endif
}

}  // namespace laban::av
