// One picture file: JPEG, PNG or BMP.
#pragma once

#include <filesystem>
#include <memory>

#include "data/picture/frame.h"

namespace laban {

/// Decodes pictures. Reuses its decoder and buffers: one per thread.
class PictureReader {
 public:
  PictureReader();
  ~PictureReader();
  PictureReader(PictureReader&&) noexcept;

  /// The picture. Its planes are valid until the next call. A JPEG yields its stored planes, full range,
  /// BT.601 (JFIF), or rgb24 if it is of RGB or CMYK; anything else yields rgb24. Rotation and mirror are those of
  /// the EXIF orientation. FileError if the file is not a picture, or is broken.
  Frame read(const std::filesystem::path& file);

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace laban
