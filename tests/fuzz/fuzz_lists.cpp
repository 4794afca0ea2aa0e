// libFuzzer target: any bytes as a list of clips: an annotation list, a table of laban's own, names of
// pictures.
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "core/error.h"
#include "data/dataset/annotation_list.h"
#include "data/dataset/csv.h"
#include "data/dataset/dataset.h"
#include "data/dataset/filename_pattern.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"

namespace {
using namespace laban;
namespace fs = std::filesystem;

/// Two classes of two clips each; the lists beside them change.
const fs::path& folder() {
  static const test::Folder made("fuzz_lists");
  static const bool filled = [] {
    for (const char* clip : {"a/1", "a/2", "b/1", "b/2"})
      for (const char* picture : {"img_1.bmp", "img_2.bmp"})
        test::write_bytes(made.path() / clip / picture, test::tiny_bmp());
    return true;
  }();
  (void)filled;
  return made.path();
}

void open_as(const std::string& name, const std::string& bytes) {
  const fs::path file = folder() / name;
  std::ofstream(file, std::ios::binary) << bytes;
  try {
    const Dataset dataset = open_dataset(file, {.keep_missing = true});
    index_text(dataset, folder());
    for (const DatasetItem& item : dataset.items) {
      try {
        index_item(item, Trust::nothing, nullptr);
      } catch (const FileError&) {
      }
    }
  } catch (const Error&) {
  }
  fs::remove(file);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const FilenamePattern rule = FilenamePattern::parse(bytes);
    const std::string name = rule.name(17);
    require(rule.number(name) == 17 && FilenamePattern::parse(rule.pattern()) == rule,
            "a rule for names does not understand itself");
  } catch (const UsageError&) {
  }
  FilenamePattern::of(bytes);
  open_as("list.txt", bytes);
  open_as(kIndexFile, bytes);
  return 0;
}
