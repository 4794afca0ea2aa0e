#include "core/files.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

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

std::string only_file_in(const fs::path& folder) {
  REQUIRE(files_in(folder) == 1);
  return fs::directory_iterator(folder)->path().filename().string();
}

constexpr const char* kAbandoned = ".laban-0123456789abcdef.tmp";

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

TEST_CASE("a temporary file is a new one: neither a link nor somebody's own file is touched") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "z.pt", precious = folder.path / "precious.txt";
  write_file(precious, "precious");
  fs::create_symlink(precious, folder.path / "z.pt.tmp");
  write_file(path, "weights");
  CHECK(read_file(precious) == "precious");
  CHECK(fs::is_symlink(folder.path / "z.pt.tmp"));
  CHECK(!fs::is_symlink(path));
  CHECK(read_file(path) == "weights");

  fs::remove(folder.path / "z.pt.tmp");
  write_file(folder.path / "z.pt.tmp", "mine");
  {
    AtomicFile file(path);
    file.write("half");
  }
  write_file(path, "again");
  CHECK(read_file(folder.path / "z.pt.tmp") == "mine");

  // A link at the name itself is replaced, and what it leads to stays.
  fs::remove(path);
  fs::create_symlink(precious, path);
  write_file(path, "weights");
  CHECK(read_file(precious) == "precious");
  CHECK(!fs::is_symlink(path));
}

TEST_CASE("temporary names differ, and are known as laban's") {
  const TemporaryFolder folder;
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    const AtomicFile file(folder.path / "file");
    names.push_back(only_file_in(folder.path));
    CHECK(is_temporary_name(names.back()));
  }
  std::ranges::sort(names);
  CHECK(std::ranges::adjacent_find(names) == names.end());
  CHECK(is_temporary_name(kAbandoned));
  for (const char* other : {"file.tmp", ".laban-lock", ".laban-packets", ".laban-0123456789abcde.tmp",
                            ".laban-0123456789abcdeg.tmp", ".laban-0123456789ABCDEF.tmp",
                            "x.laban-0123456789abcdef.tmp", ".laban-0123456789abcdef.tmp2"})
    CHECK(!is_temporary_name(other));
}

TEST_CASE("several threads that write one file leave one of their texts, whole, and nothing else") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "file";
  {
    std::vector<std::jthread> writers;
    for (const char letter : {'a', 'b', 'c'})
      writers.emplace_back([&path, &folder, letter] {
        for (int i = 0; i < 30; ++i) {
          AtomicFile file(path);
          for (int part = 0; part < 4; ++part) file.write(std::string(1000, letter));
          remove_abandoned_files(folder.path);  // leaves those of the others
          file.commit();
        }
      });
  }
  const std::string content = read_file(path);
  CHECK(content == std::string(4000, content.at(0)));
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("what a killed process has left is removed, and nothing else") {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const AtomicFile file(folder.path / "file");
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, WUNTRACED) == child);
  const std::string left = only_file_in(folder.path);
  remove_abandoned_files(folder.path);  // it lives
  CHECK(only_file_in(folder.path) == left);
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(only_file_in(folder.path) == left);

  fs::create_symlink("nowhere", folder.path / ".laban-1111111111111111.tmp");
  fs::create_directory(folder.path / ".laban-2222222222222222.tmp");
  REQUIRE(::mkfifo((folder.path / ".laban-3333333333333333.tmp").c_str(), 0600) == 0);
  write_file(folder.path / "file.tmp", "mine");
  require_writable(folder.path / "file");  // as commands do at their beginning
  CHECK(!fs::exists(folder.path / left));
  CHECK(files_in(folder.path) == 4);
}

TEST_CASE("the mode of a new file is the user's choice (umask)") {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0027);
  write_file(folder.path / "file", "x");
  ::umask(before);
  CHECK((fs::status(folder.path / "file").permissions() & fs::perms::all) == static_cast<fs::perms>(0640));
}

TEST_CASE("devices, pipes and folders are never replaced") {
  const TemporaryFolder folder;
  const fs::path pipe = folder.path / "pipe", stdout_like = folder.path / "out", null = folder.path / "null";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  fs::create_symlink("/proc/self/fd/1", stdout_like);
  fs::create_symlink("/dev/null", null);
  for (const fs::path& path : {pipe, stdout_like, null}) {
    CHECK_THROWS_AS(write_file(path, "x"), FileError);
    CHECK_THROWS_AS(open_to_append(path), FileError);
    CHECK_THROWS_AS(require_replaceable(path, "a page", [](std::string_view) { return true; }), UsageError);
  }
  CHECK_THROWS_WITH_AS(write_file(folder.path, "x"), doctest::Contains("is a folder"), FileError);
  CHECK(fs::is_fifo(pipe));
  CHECK(fs::is_symlink(null));
  CHECK(files_in(folder.path) == 3);
}

TEST_CASE("a file that grows is not found through a link") {
  const TemporaryFolder folder;
  write_file(folder.path / "precious", "mine");
  fs::create_symlink(folder.path / "precious", folder.path / "log");
  CHECK_THROWS_WITH_AS(open_to_append(folder.path / "log"), doctest::Contains("is a link"), FileError);
  const Descriptor log = open_to_append(folder.path / "own");
  REQUIRE(::write(log.get(), "ab", 2) == 2);
  REQUIRE(::write(open_to_append(folder.path / "own").get(), "c", 1) == 1);
  CHECK(read_file(folder.path / "own") == "abc");
}

TEST_CASE("only what laban wrote is replaceable") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "thesis.txt";
  const auto ours = [](std::string_view begin) { return begin.starts_with("# laban"); };
  CHECK_NOTHROW(require_replaceable(path, "an index", ours));  // nothing there
  write_file(path, "");
  CHECK_NOTHROW(require_replaceable(path, "an index", ours));  // nothing to lose
  write_file(path, "# laban index of");
  CHECK_NOTHROW(require_replaceable(path, "an index", ours));
  write_file(path, "It was a dark and stormy night.");
  CHECK_THROWS_WITH_AS(require_replaceable(path, "an index", ours),
                       doctest::Contains("is there already, and is not an index that laban wrote"),
                       UsageError);
  CHECK(read_file(path) == "It was a dark and stormy night.");
}

TEST_CASE("a file that cannot be finished leaves the old one and no other") {
  const TemporaryFolder folder;
  const fs::path path = folder.path / "file";
  write_file(path, "old");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string told;
  try {
    write_file(path, std::string(10'000, 'x'));
  } catch (const FileError& error) {
    told = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(told.find("cannot be written: File too large") != std::string::npos);
  CHECK(read_file(path) == "old");
  CHECK(files_in(folder.path) == 1);
}

TEST_CASE("names stay on their line") {
  CHECK(visible("Wälzer nr. 3") == "Wälzer nr. 3");
  CHECK(visible("a\nb\tc\x1b[2Jd\x7f") == "a\\nb\\tc\\x1b[2Jd\\x7f");
  const FileError error("tango\n.mp4", "does not decode", "Leave it out.");
  CHECK(std::string(error.what()) == "tango\\n.mp4: does not decode\n  Leave it out.");
  CHECK(error.file() == "tango\n.mp4");
}
