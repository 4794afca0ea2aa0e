// libFuzzer target: any bytes as a safetensors file. They are accepted or rejected with a FileError.
#include <cstddef>
#include <cstdint>

#include "core/safetensors.h"
#include "fuzz/read_all.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace laban;
  const FileBytes bytes("fuzzed", std::as_bytes(std::span(data, size)));
  try {
    const SafetensorsFile file(bytes);
    try {
      file.verify_checksum();
    } catch (const FileError&) {
    }
    fuzz::read_all(StateDict::read(bytes));
  } catch (const FileError&) {
  }
  return 0;
}
