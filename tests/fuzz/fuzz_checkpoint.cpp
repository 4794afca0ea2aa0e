// libFuzzer target: any bytes as one of the texts in a checkpoint's metadata (config, classes, state, clips), in a
// file whose checksum is right, as anybody can make one. It is accepted or rejected with a sentence, and so is
// what evaluation makes of an accepted one: settings that suit, and the network that they describe.
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/error.h"
#include "fuzz/checkpoint_metadata.h"
#include "train/checkpoint.h"

namespace {
using namespace laban;
namespace fs = std::filesystem;

/// In memory, where there is such a file system.
const fs::path& file() {
  static const fs::path path = [] {
    std::error_code failed;
    const fs::path shared = "/dev/shm";
    const fs::path folder = fs::is_directory(shared, failed) ? shared : fs::temp_directory_path();
    return folder / ("laban_fuzz_checkpoint_" + std::to_string(::getpid()) + ".safetensors");
  }();
  return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::map<std::string, std::string> metadata = fuzz::checkpoint_metadata();
  metadata[fuzz::kCheckpointTexts[data[0] % fuzz::kCheckpointTexts.size()]] =
      std::string(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::array<float, 4> head{};
  const std::array<TensorToSave, 1> tensors{TensorToSave{"fc.weight", ElementType::f32, {2, 2}, head.data()}};
  write_safetensors(file(), tensors, metadata);
  try {
    const Checkpoint checkpoint(file());
    Config config = checkpoint.info().config;
    resolve(config);
    model_spec(config, static_cast<int64_t>(checkpoint.info().classes.size()));
  } catch (const Error&) {
  }
  fs::remove(file());
  return 0;
}
