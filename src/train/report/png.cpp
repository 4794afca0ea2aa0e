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
namespace {

using namespace std::string_view_literals;
constexpr std::string_view kPngMark = "tEXtSoftware\0laban"sv;

}  // namespace

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
  // A chunk that says who wrote it, behind the signature and the header (PNG specification, 11.3.4.3).
  constexpr size_t kHeaderEnd = 8 + 25;
  std::vector<uint8_t> chunk(kPngMark.begin(), kPngMark.end());
  const uint32_t sum = stbiw__crc32(chunk.data(), static_cast<int>(chunk.size()));
  const auto length = static_cast<uint32_t>(chunk.size() - 4);  // without the type
  for (int shift = 24; shift >= 0; shift -= 8) chunk.push_back(static_cast<uint8_t>(sum >> shift));
  for (int shift = 0; shift < 32; shift += 8)
    chunk.insert(chunk.begin(), static_cast<uint8_t>(length >> shift));
  file.insert(file.begin() + kHeaderEnd, chunk.begin(), chunk.end());
  return file;
}

bool is_own_png(std::string_view begin) {
  constexpr size_t kAt = 8 + 25 + 4;  // behind signature, header, and the chunk's length
  return begin.size() > kAt && begin.substr(kAt).starts_with(kPngMark);
}

}  // namespace laban::report
