// One picture file: JPEG by libjpeg-turbo, PNG and BMP by stb_image.
#include "data/picture/picture_reader.h"

#include <turbojpeg.h>

extern "C" {
#include <libavutil/crc.h>
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "core/machine_error.h"
#include "core/regular_file.h"
#include "data/picture/decode_limits.h"
#include "data/picture/exif.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#include <stb/stb_image.h>

namespace laban {
namespace {

struct FreeJpeg {
  void operator()(void* handle) const { tjDestroy(handle); }
};
struct FreeStb {
  void operator()(uint8_t* pixels) const { stbi_image_free(pixels); }
};

constexpr const char* kAdvice = "Extract this frame again, or remove it from its folder.";

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& what) {
  throw FileError(file.string(), what, kAdvice);
}

/// `pixels_a_byte`: the most that the format can encode in one byte. A few bytes must not cost much memory
/// and time.
void require_sane(const std::filesystem::path& file, int width, int height, size_t bytes,
                  int64_t pixels_a_byte) {
  const int64_t pixels = int64_t{width} * height;
  if (width < 1 || height < 1) refuse(file, text("claims to be ", width, "x", height, " pixels"));
  if (const int64_t most = decode_limits().pixels; pixels > most)
    throw FileError(file.string(),
                    text("claims to be ", width, "x", height, " pixels, more than the ", most, " allowed"),
                    "If it is true, raise --max-pixels.");
  if (pixels / pixels_a_byte > static_cast<int64_t>(bytes))
    refuse(file, text("claims to be ", width, "x", height, " pixels, but has only ", bytes, " bytes"));
}
// A block of 8x8 pixels takes at least one bit.
constexpr int64_t kJpegPixelsAByte = 512;
// Deflate expands a byte to at most 1032, with 8 pixels each.
constexpr int64_t kPngPixelsAByte = 1032 * 8;

uint32_t little_endian(const uint8_t* at) { return at[0] | at[1] << 8 | at[2] << 16 | uint32_t{at[3]} << 24; }

/// stb_image reads zeros past the end of a BMP file, so a truncated one would look complete.
void require_whole_bmp(const std::filesystem::path& file, const std::vector<uint8_t>& bytes) {
  if (bytes.size() < 30) refuse(file, "the picture is truncated");
  const uint64_t pixels_at = little_endian(&bytes[10]), bits = bytes[28] | bytes[29] << 8;
  // The old header has 16-bit sizes at other positions; it is no longer in use.
  if (little_endian(&bytes[14]) < 40) refuse(file, "is an unsupported kind of BMP picture");
  const auto width = static_cast<int32_t>(little_endian(&bytes[18])),
             height = static_cast<int32_t>(little_endian(&bytes[22]));
  const uint64_t row = (static_cast<uint64_t>(width) * bits + 31) / 32 * 4;
  if (pixels_at + row * static_cast<uint64_t>(std::abs(int64_t{height})) > bytes.size())
    refuse(file, "the picture is truncated");
}

/// stb_image ignores checksums: a flipped bit would go unnoticed as a change of color.
void require_whole_png(const std::filesystem::path& file, const std::vector<uint8_t>& bytes) {
  const auto big_endian = [&](size_t at) {
    return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 |
           bytes[at + 3];
  };
  const AVCRC* const table = av_crc_get_table(AV_CRC_32_IEEE_LE);
  for (size_t at = 8;;) {
    if (bytes.size() - at < 12) refuse(file, "the picture is truncated");
    const size_t length = big_endian(at);
    if (length > bytes.size() - at - 12) refuse(file, "the picture is truncated");
    const uint8_t* const chunk = &bytes[at + 4];
    const std::string_view name(reinterpret_cast<const char*>(chunk), 4);
    const bool critical = (chunk[0] & 0x20) == 0 || name == "tRNS";  // lower case: ancillary
    if (critical &&
        (av_crc(table, UINT32_MAX, chunk, length + 4) ^ UINT32_MAX) != big_endian(at + 8 + length))
      refuse(file, text("the picture is damaged (the checksum of its ", name, " does not match)"));
    if (name == "IEND") return;
    at += 12 + length;
  }
}

/// Whether there is an APP14 segment of Adobe's: then inks are stored inverted, 255 for none.
bool is_from_adobe(const std::vector<uint8_t>& bytes) {
  constexpr std::string_view kAdobe = "Adobe";
  for (size_t at = 2; at + 4 + kAdobe.size() <= bytes.size() && bytes[at] == 0xff && bytes[at + 1] != 0xda;) {
    if (bytes[at + 1] == 0xee &&
        std::equal(kAdobe.begin(), kAdobe.end(), bytes.begin() + static_cast<int64_t>(at) + 4))
      return true;
    at += 2 + static_cast<size_t>(bytes[at + 2] << 8 | bytes[at + 3]);
  }
  return false;
}

/// Cyan, magenta, yellow and black to R, G and B, in place, as Pillow does it: without a color profile.
void inks_to_rgb(std::vector<uint8_t>& pixels, bool inverted) {
  const size_t count = pixels.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    const auto light = [&](size_t ink) { return inverted ? pixels[4 * i + ink] : 255 - pixels[4 * i + ink]; };
    const int black = light(3);
    const std::array<int, 3> rgb{light(0) * black, light(1) * black, light(2) * black};
    for (size_t c = 0; c < 3; ++c) pixels[3 * i + c] = static_cast<uint8_t>((rgb[c] + 127) / 255);
  }
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
  const RegularFile in(path, kAdvice);
  const int64_t bytes = in.size();
  if (bytes == 0) refuse(path, "the file is empty");
  if (bytes > std::numeric_limits<int>::max()) refuse(path, "the file is larger than 2 GiB");
  file.resize(static_cast<size_t>(bytes));
  for (size_t done = 0; done < file.size();) {
    const int64_t got = in.read(static_cast<int64_t>(done), std::span(file).subspan(done));
    if (got < 0) throw_file_fault(path, "cannot be read", errno, "Check the disk.");
    if (got == 0) refuse(path, "the file became shorter while it was read");
    done += static_cast<size_t>(got);
  }
}

Frame PictureReader::Buffers::read_jpeg(const std::filesystem::path& path) {
  const auto bytes = static_cast<unsigned long>(file.size());
  // A warning means that some of the data is invalid. Stray bytes between segments are harmless; anything
  // else affects the picture.
  const auto check = [&](int code) {
    if (code == 0) return;
    const std::string why = tjGetErrorStr2(jpeg.get());
    const bool harmless =
        tjGetErrorCode(jpeg.get()) == TJERR_WARNING && why.find("extraneous bytes") != std::string::npos;
    if (why.find("Insufficient memory") != std::string::npos) throw_out_of_memory(path);
    if (!harmless) refuse(path, "is a damaged or truncated JPEG picture (" + why + ")");
  };
  Frame frame;
  int subsampling = 0, color = 0;
  if (tjDecompressHeader3(jpeg.get(), file.data(), bytes, &frame.width, &frame.height, &subsampling,
                          &color) != 0)
    refuse(path, std::string("is not a JPEG picture (") + tjGetErrorStr2(jpeg.get()) + ")");
  require_sane(path, frame.width, frame.height, file.size(), kJpegPixelsAByte);
  require_few_scans(path, file, frame.width, frame.height);
  const bool inks = color == TJCS_CMYK || color == TJCS_YCCK;
  frame.layout = color == TJCS_RGB || inks ? PixelLayout::rgb24 : layout_of(subsampling);
  frame.full_range = true;
  if (inks) {
    const size_t count = static_cast<size_t>(frame.width) * static_cast<size_t>(frame.height);
    pixels.resize(4 * count);
    check(tjDecompress2(jpeg.get(), file.data(), bytes, pixels.data(), frame.width, 4 * frame.width,
                        frame.height, TJPF_CMYK, 0));
    inks_to_rgb(pixels, is_from_adobe(file));
    frame.stride[0] = 3 * frame.width;
    frame.plane[0] = pixels.data();
    return frame;
  }
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
    refuse(path, "is not a readable PNG or BMP picture");
  require_sane(path, frame.width, frame.height, file.size(), kPngPixelsAByte);
  if (file[0] == 'B')
    require_whole_bmp(path, file);
  else
    require_whole_png(path, file);
  stb.reset(stbi_load_from_memory(file.data(), bytes, &frame.width, &frame.height, &channels, 3));
  if (!stb && stbi_failure_reason() == std::string_view("outofmem")) throw_out_of_memory(path);
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
  // By its contents, not its name.
  const bool jpeg = file.size() > 2 && file[0] == 0xff && file[1] == 0xd8;
  Frame frame = jpeg ? buffers_->read_jpeg(path) : buffers_->read_other(path);
  orient(frame, exif_orientation(file));
  return frame;
}

}  // namespace laban
