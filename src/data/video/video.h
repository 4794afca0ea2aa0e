// Exact frames of a video file.
//
// Frame k is the k-th picture that decoding the whole file from its start yields, in presentation order, as
// in
//     ffmpeg -i FILE -map 0:v:0 -fps_mode passthrough -autorotate 0 -f framemd5 -
// Containers often claim a different number: edit lists cut pictures away, packets are damaged, streams end
// early. So a file is indexed once by decoding it (index_video); after that, any frames can be read with the
// least decoding that is exact.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "data/picture/frame.h"
#include "data/video/video_index.h"

struct AVFrame;

namespace laban {

/// Calls `sink(k, frame)` once for every distinct k in `wanted` (ascending, in [0, frame_count)), in
/// ascending order of k if the file is in order. FileError if a frame cannot be decoded.
void read_video(const std::filesystem::path& file, const VideoIndex& index, std::span<const int64_t> wanted,
                const std::function<void(int64_t, const Frame&)>& sink,
                const std::atomic<bool>* cancel = nullptr);

/// The same with the decoder's own pictures, before any conversion. For tests.
void read_video_raw(const std::filesystem::path& file, const VideoIndex& index,
                    std::span<const int64_t> wanted, const std::function<void(int64_t, const AVFrame&)>& sink,
                    const std::atomic<bool>* cancel = nullptr);

}  // namespace laban
