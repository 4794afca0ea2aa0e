// libFuzzer target: any bytes as a picture file (JPEG, PNG, BMP).
#include <cstddef>
#include <cstdint>

#include "core/error.h"
#include "data/picture/image_folder.h"
#include "fuzz/look_at.h"
#include "fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace laban;
  const fuzz::MemoryFile file({data, size});
  static PictureReader reader;  // kept from picture to picture, as the loader keeps it
  static fuzz::Viewer view;
  try {
    view(reader.read(file.path()));
  } catch (const FileError&) {
  }
  return 0;
}
