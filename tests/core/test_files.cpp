#include "core/files.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>

#include "core/error.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / text("laban_files_", ::getpid());
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

size_t files_in(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a file appears whole or not at all") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "a file";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("half");
  }
  CHECK(read_file(path) == "old");
  write_file(path, "new");
  CHECK(read_file(path) == "new");
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("what cannot be written is told before the work, and nothing is left behind") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(require_writable(folder.path / "absent" / "file"),
                       doctest::Contains("cannot be created: No such file or directory"), FileError);
  CHECK_THROWS_WITH_AS(require_writable(folder.path), doctest::Contains("is a folder, not a file"),
                       FileError);
  const fs::path path = folder.path / "file";
  require_writable(path);
  CHECK(files_in(folder.path) == 0);
  write_file(path, "kept");
  require_writable(path);
  CHECK(read_file(path) == "kept");
}

TEST_CASE("names stay on their line") {
  CHECK(visible("Wälzer nr. 3") == "Wälzer nr. 3");
  CHECK(visible("a\nb\tc\x1b[2Jd\x7f") == "a\\nb\\tc\\x1b[2Jd\\x7f");
  const FileError error("tango\n.mp4", "does not decode", "Leave it out.");
  CHECK(std::string(error.what()) == "tango\\n.mp4: does not decode\n  Leave it out.");
  CHECK(error.file() == "tango\n.mp4");
}
