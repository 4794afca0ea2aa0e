// Folders and small videos made for a test.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace laban::test {

/// A fresh folder of its own, removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& name);
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct MadeVideo {
  int width = 64, height = 48, frames = 20;
  int first = 0;  // number shown by frame 0; frame k shows first + k
  int gop = 250;  // key frames at least this often
  int b_frames = 2;
  bool full_range = false;
  std::string encoder = "";              // libav's name; empty: libx264 where libav has it, else mpeg4
  std::string pixel_format = "yuv420p";  // libav's name
  std::string options = "";              // of the encoder, "key=value:key=value"
  std::string muxer_options = "";        // of the container, the same way
  int first_ms = 0;                      // when frame 0 is shown
  std::vector<int> hold = {};            // ticks of 40 ms that each frame lasts, by turns; empty: one
};

/// Encodes a video whose every frame tells its number; the file's extension says the container.
void make_video(const std::filesystem::path& file, const MadeVideo& how);
/// A video with a hole of 64 GiB at its end, in which libav looks for a packet, minutes long, where the file
/// is called .ts or .h264 (which needs libx264).
void make_endless_video(const std::filesystem::path& file);
/// A second of silence in WAV.
void make_sound(const std::filesystem::path& file);
/// Does this libav have the encoder?
bool can_encode(const std::string& encoder);
/// The name of the encoder that make_video uses unless told.
std::string encoder_name();

/// The brightness of a made frame's left half, by its number; the right half has 255 minus it. Steps are
/// large enough to survive lossy coding: consecutive numbers differ by at least 50.
int shade_of(int number);

/// A picture of 2x2 gray pixels.
std::vector<unsigned char> tiny_bmp();

std::vector<unsigned char> bytes_of(const std::filesystem::path& file);
void write_bytes(const std::filesystem::path& file, const std::vector<unsigned char>& bytes);

}  // namespace laban::test
