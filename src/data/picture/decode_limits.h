// How much work a file may cause. A few bytes can claim to be a picture of gigabytes, or take minutes to decode.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace laban {

struct DecodeLimits {
  int64_t pixels = int64_t{1} << 26;  // of a picture or video frame: 8192 x 8192, twice what 8K video has
  int64_t scans = 200;                // of a JPEG picture; encoders make about ten
  double seconds = 3600;              // of a processor's time, for one pass over a clip

  bool operator==(const DecodeLimits&) const = default;
};

/// What goes beyond them counts as damaged. For the whole process, as every decoder heeds them.
DecodeLimits decode_limits();
void set_decode_limits(const DecodeLimits& limits);

/// FileError where the JPEG picture `bytes` of `file` has more scans than allowed. Each scan goes over the whole
/// picture, a few bytes a scan would take minutes, and nothing could stop it: so large pictures may have
/// fewer.
void require_few_scans(const std::filesystem::path& file, std::span<const uint8_t> bytes, int width,
                       int height);

/// The time that this thread computes for one file. Other programs on the machine do not count, so a file is
/// not good or bad by how busy the machine is.
class DecodeTime {
 public:
  /// Begins now.
  DecodeTime();
  /// FileError, once it is more than decode_limits().seconds.
  void check(const std::filesystem::path& file) const;

 private:
  double since_;
};

}  // namespace laban
