// The one place that knows stb_image_write.
#include "core/error.h"
#include "train/report/clips.h"

#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace laban::report {

std::vector<uint8_t> encode_png(const Picture& picture) {
  const int64_t bytes = int64_t{3} * picture.width * picture.height;
  if (picture.width <= 0 || picture.height <= 0 || static_cast<int64_t>(picture.rgb.size()) != bytes)
    throw Error(text("a picture of ", picture.width, "x", picture.height, " has ", picture.rgb.size(),
                     " bytes instead of ", bytes));
  std::vector<uint8_t> file;
  const auto append = [](void* context, void* data, int size) {
    const auto* from = static_cast<const uint8_t*>(data);
    auto& to = *static_cast<std::vector<uint8_t>*>(context);
    to.insert(to.end(), from, from + size);
  };
  if (!stbi_write_png_to_func(append, &file, picture.width, picture.height, 3, picture.rgb.data(),
                              3 * picture.width))
    throw Error(text("a picture of ", picture.width, "x", picture.height, " could not be written as PNG"));
  return file;
}

}  // namespace laban::report
