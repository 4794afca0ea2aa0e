// One picture file: JPEG by libjpeg-turbo, PNG and BMP by stb_image.
#include <turbojpeg.h>

#include <cstdio>
#include <fstream>
#include <limits>

#include "core/error.h"
#include "data/image_folder.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace laban {
namespace {

// A header that claims more is damaged, or a trap.
constexpr int64_t kMaxPixels = int64_t{16384} * 16384;

struct FreeJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
struct FreeStb {
  void operator()(uint8_t* pixels) const { stbi_image_free(pixels); }
};

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw FileError(file.string(), what, "Make this frame again, or take it out of its folder.");
}

void require_sane(const std::filesystem::path& file, int width, int height) {
  if (width < 1 || height < 1 || int64_t{width} * height > kMaxPixels)
    refuse(file, text("claims to be ", width, "x", height, " pixels large"));
}

PixelLayout layout_of(int subsampling) {
  switch (subsampling) {
    case TJSAMP_420:
      return PixelLayout::yuv420p;
    case TJSAMP_422:
      return PixelLayout::yuv422p;
    case TJSAMP_444:
      return PixelLayout::yuv444p;
    case TJSAMP_GRAY:
      return PixelLayout::gray8;
    default:
      return PixelLayout::rgb24;
  }
}

}  // namespace

struct PictureReader::Buffers {
  std::vector<uint8_t> file, pixels;
  std::unique_ptr<uint8_t, FreeStb> stb;
  std::unique_ptr<void, FreeJpeg> jpeg{tjInitDecompress()};

  void load(const std::filesystem::path& path);
  Frame read_jpeg(const std::filesystem::path& path);
  Frame read_other(const std::filesystem::path& path);
};

void PictureReader::Buffers::load(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) refuse(path, "the picture cannot be opened");
  const std::streamoff bytes = in.tellg();
  if (bytes <= 0) refuse(path, "the picture's file is empty");
  if (bytes > std::numeric_limits<int>::max()) refuse(path, "the picture's file is larger than 2 GiB");
  file.resize(static_cast<size_t>(bytes));
  in.seekg(0);
  if (!in.read(reinterpret_cast<char*>(file.data()), bytes)) refuse(path, "the picture cannot be read");
}

Frame PictureReader::Buffers::read_jpeg(const std::filesystem::path& path) {
  const auto bytes = static_cast<unsigned long>(file.size());
  // A warning means that some of the data did not make sense. Stray bytes between segments do no harm; all
  // else changed the picture.
  const auto check = [&](int code) {
    if (code == 0) return;
    const std::string why = tjGetErrorStr2(jpeg.get());
    const bool harmless =
        tjGetErrorCode(jpeg.get()) == TJERR_WARNING && why.find("extraneous bytes") != std::string::npos;
    if (!harmless) refuse(path, "is not a whole JPEG picture (" + why + ")");
  };
  Frame frame;
  int subsampling = 0, colour = 0;
  if (tjDecompressHeader3(jpeg.get(), file.data(), bytes, &frame.width, &frame.height, &subsampling,
                          &colour) != 0)
    refuse(path, std::string("is not a JPEG picture (") + tjGetErrorStr2(jpeg.get()) + ")");
  require_sane(path, frame.width, frame.height);
  if (colour == TJCS_CMYK || colour == TJCS_YCCK) refuse(path, "is a JPEG picture for print (CMYK)");
  frame.layout = colour == TJCS_RGB ? PixelLayout::rgb24 : layout_of(subsampling);
  frame.full_range = true;
  if (frame.layout == PixelLayout::rgb24) {
    frame.stride[0] = 3 * frame.width;
    pixels.resize(static_cast<size_t>(frame.stride[0]) * static_cast<size_t>(frame.height));
    check(tjDecompress2(jpeg.get(), file.data(), bytes, pixels.data(), frame.width, frame.stride[0],
                        frame.height, TJPF_RGB, 0));
    frame.plane[0] = pixels.data();
    return frame;
  }
  const int planes = frame.layout == PixelLayout::gray8 ? 1 : 3;
  std::array<size_t, 3> offset{};
  size_t total = 0;
  for (int p = 0; p < planes; ++p) {
    const auto i = static_cast<size_t>(p);
    frame.stride[i] = tjPlaneWidth(p, frame.width, subsampling);
    offset[i] = total;
    total += tjPlaneSizeYUV(p, frame.width, frame.stride[i], frame.height, subsampling);
  }
  pixels.resize(total);
  std::array<unsigned char*, 3> to{};
  for (size_t i = 0; i < static_cast<size_t>(planes); ++i) frame.plane[i] = to[i] = pixels.data() + offset[i];
  check(tjDecompressToYUVPlanes(jpeg.get(), file.data(), bytes, to.data(), frame.width, frame.stride.data(),
                                frame.height, 0));
  return frame;
}

Frame PictureReader::Buffers::read_other(const std::filesystem::path& path) {
  const int bytes = static_cast<int>(file.size());
  Frame frame;
  int channels = 0;
  if (!stbi_info_from_memory(file.data(), bytes, &frame.width, &frame.height, &channels))
    refuse(path, "is not a PNG or BMP picture that can be read");
  require_sane(path, frame.width, frame.height);
  stb.reset(stbi_load_from_memory(file.data(), bytes, &frame.width, &frame.height, &channels, 3));
  if (!stb) refuse(path, std::string("the picture is broken (") + stbi_failure_reason() + ")");
  frame.layout = PixelLayout::rgb24;
  frame.full_range = true;
  frame.plane[0] = stb.get();
  frame.stride[0] = 3 * frame.width;
  return frame;
}

PictureReader::PictureReader() : buffers_(std::make_unique<Buffers>()) {}
PictureReader::~PictureReader() = default;
PictureReader::PictureReader(PictureReader&&) noexcept = default;

Frame PictureReader::read(const std::filesystem::path& path) {
  buffers_->load(path);
  const std::vector<uint8_t>& file = buffers_->file;
  // By what it is, not by what it is called.
  const bool jpeg = file.size() > 2 && file[0] == 0xff && file[1] == 0xd8;
  return jpeg ? buffers_->read_jpeg(path) : buffers_->read_other(path);
}

}  // namespace laban
