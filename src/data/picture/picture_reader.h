// One picture file: JPEG, PNG or BMP.
#pragma once

#include <filesystem>
#include <memory>

#include "data/picture/frame.h"

namespace laban {

/// Decodes pictures, keeping its decoder and buffers: one per thread.
class PictureReader {
 public:
  PictureReader();
  ~PictureReader();
  PictureReader(PictureReader&&) noexcept;

  /// The picture. Its planes live until the next call. JPEG comes as the planes that it stores, full range,
  /// BT.601 (JFIF); all else as rgb24. Tags that turn the picture (EXIF) are not read. FileError where the
  /// file is no picture, or broken.
  Frame read(const std::filesystem::path& file);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace laban
