// Exact frames of a video file.
//
// Frame k is the k-th picture that decoding the whole file from its start shows, in the order of
// presentation, as in
//     ffmpeg -i FILE -map 0:v:0 -fps_mode passthrough -autorotate 0 -f framemd5 -
// Containers often claim another number: pictures cut away by an edit list, damaged packets, streams that end
// early. So a file is indexed once, by decoding it (index_video); after that any frames are found with as
// little decoding as is exact.
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

/// Calls `sink(k, frame)` once for every different k in `wanted` (ascending, in [0, frame_count)), in
/// ascending order of k where the file is in order. FileError where a frame cannot be had.
void read_video(const std::filesystem::path& file, const VideoIndex& index, std::span<const int64_t> wanted,
                const std::function<void(int64_t, const Frame&)>& sink,
                const std::atomic<bool>* cancel = nullptr);

/// The same with the decoder's own pictures, before any conversion. For tests.
void read_video_raw(const std::filesystem::path& file, const VideoIndex& index,
                    std::span<const int64_t> wanted, const std::function<void(int64_t, const AVFrame&)>& sink,
                    const std::atomic<bool>* cancel = nullptr);

}  // namespace laban
