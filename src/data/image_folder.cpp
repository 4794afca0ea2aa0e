#include "data/image_folder.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"

namespace laban {
namespace fs = std::filesystem;
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Are names in natural order: runs of digits by their value, all else by its bytes?
bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const auto run = [](const std::string& s, size_t& at) {
        while (at < s.size() && s[at] == '0') ++at;
        const size_t begin = at;
        while (at < s.size() && is_digit(s[at])) ++at;
        return std::string_view(s).substr(begin, at - begin);
      };
      const std::string_view x = run(a, i), y = run(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      if (a[i] != b[j]) return static_cast<uint8_t>(a[i]) < static_cast<uint8_t>(b[j]);
      ++i, ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;  // the same but for leading zeros
}

}  // namespace

std::string lower_extension(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return extension;
}

bool is_picture_name(const fs::path& path) {
  constexpr std::array<std::string_view, 4> kExtensions{".jpg", ".jpeg", ".png", ".bmp"};
  return std::ranges::find(kExtensions, lower_extension(path)) != kExtensions.end();
}

FolderIndex index_folder(const fs::path& folder) {
  FolderIndex index;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      if (entry.is_regular_file() && is_picture_name(entry.path()) &&
          !entry.path().filename().string().starts_with('.'))
        index.pictures.push_back(entry.path());
  } catch (const fs::filesystem_error& error) {
    throw FileError(folder.string(), "the folder cannot be read: " + error.code().message(),
                    "Check the path and its permissions.");
  }
  if (index.pictures.empty())
    throw FileError(folder.string(), "the folder holds no JPEG, PNG or BMP picture",
                    "Name a folder with the frames of a clip.");
  std::ranges::sort(index.pictures, [](const fs::path& a, const fs::path& b) {
    return natural_less(a.filename().string(), b.filename().string());
  });
  PictureReader reader;
  const Frame first = reader.read(index.pictures.front());
  index.width = first.width, index.height = first.height;
  return index;
}

void read_folder(const FolderIndex& index, std::span<const int64_t> wanted, PictureReader& reader,
                 const std::function<void(int64_t, const Frame&)>& sink) {
  int64_t last = -1;
  for (const int64_t k : wanted) {
    require(k >= last && k < index.frame_count(),
            "read_folder: frame numbers must ascend within [0, frame_count)");
    if (k == last) continue;
    last = k;
    const fs::path& file = index.pictures[static_cast<size_t>(k)];
    const Frame frame = reader.read(file);
    if (frame.width != index.width || frame.height != index.height)
      throw FileError(file.string(),
                      text("the picture is ", frame.width, "x", frame.height, ", the first of its folder ",
                           index.width, "x", index.height),
                      "Bring all frames of a clip to one size.");
    sink(k, frame);
  }
}

}  // namespace laban
