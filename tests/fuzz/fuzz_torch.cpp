// libFuzzer target: any bytes as a torch.save file, and as the pickle inside one (whose checksum would
// otherwise reject any mutation). They are accepted or rejected with a FileError.
#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/read_all.h"
#include "weights/made_files.h"
#include "weights/torch_file.h"

namespace {

void read(const std::string& bytes) {
  try {
    laban::fuzz::read_all(laban::read_torch_file(laban::test::in_memory(bytes)));
  } catch (const laban::FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read(bytes);
  read(laban::test::zip_of({{"a/data.pkl", bytes}, {"a/data/0", std::string(64, '\x3f')}}));
  return 0;
}
