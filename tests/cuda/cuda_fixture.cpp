#include "cuda_fixture.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include "core/files.h"

namespace laban::test {

bool cudnn_can_load() {
  static const bool can = dlopen("libcuda.so.1", RTLD_LAZY) != nullptr;
  if (!can)
    MESSAGE("skipped: no libcuda.so.1 here, neither a driver's nor the toolkit's stub (run it by ctest)");
  return can;
}

cuda::DeviceProperties h200() {
  return cuda::DeviceProperties::from_json(read_file(LABAN_SOURCE_DIR "/tests/cuda/h200-device.json"));
}

}  // namespace laban::test
