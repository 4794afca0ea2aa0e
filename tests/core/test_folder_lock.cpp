#include "core/folder_lock.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "support/temporary_folder.h"

using namespace laban;
using doctest::Contains;
using test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

/// A process that holds a folder and sleeps until it is killed.
class Holder {
 public:
  explicit Holder(const fs::path& folder) : process_(::fork()) {
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      const FolderLock lock(folder, "a rehearsal");
      ::raise(SIGSTOP);
      ::_exit(0);
    }
    REQUIRE(::waitpid(process_, nullptr, WUNTRACED) == process_);
  }
  ~Holder() { kill(); }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  pid_t process() const { return process_; }

 private:
  pid_t process_;
};

}  // namespace

TEST_CASE("a folder has one holder, who is named to others, and leaves nothing behind") {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path(), "laban train");
    CHECK(lock.note().empty());
    CHECK_THROWS_WITH_AS(FolderLock(folder.path(), "laban cache"),
                         Contains(text("is in use by process ", ::getpid(), " on ").c_str()), FolderInUse);
    CHECK_THROWS_WITH_AS(FolderLock(folder.path(), "laban cache"), Contains("(laban train) since 20"),
                         FolderInUse);
  }
  CHECK(fs::is_empty(folder.path()));
  CHECK_NOTHROW(FolderLock(folder.path(), "laban cache"));
}

TEST_CASE("a stopped process holds its folder, a killed one does not") {
  const TemporaryFolder folder;
  Holder holder(folder.path());
  CHECK_THROWS_WITH_AS(FolderLock(folder.path(), "laban train"),
                       Contains(text("process ", holder.process(), " on ").c_str()), FolderInUse);
  holder.kill();
  CHECK(fs::exists(folder.path() / FolderLock::kLockFile));
  {
    const FolderLock lock(folder.path(), "laban train");
    CHECK(read_file(folder.path() / FolderLock::kLockFile).find(text("process ", ::getpid(), " ")) !=
          std::string::npos);
  }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a folder is made for its lock, and goes with it where nothing came of it") {
  const TemporaryFolder folder;
  const fs::path made = folder.path() / "a/b";
  { const FolderLock lock(made, "laban train"); }
  CHECK(!fs::exists(made));
  {
    const FolderLock lock(made, "laban train");
    write_file(made / "config.toml", "x");
  }
  CHECK(fs::exists(made / "config.toml"));
  fs::remove(made / "config.toml");
  { const FolderLock lock(made, "laban train"); }
  CHECK(fs::is_directory(made));  // it was there before
  write_file(folder.path() / "file", "x");
  CHECK_THROWS_AS(FolderLock(folder.path() / "file", "laban train"), FileError);
}

TEST_CASE("the holder of a folder clears away what killed processes have left") {
  const TemporaryFolder folder;
  write_file(folder.path() / ".laban-0123456789abcdef.tmp", "half");
  write_file(folder.path() / "own.tmp", "mine");
  const FolderLock lock(folder.path(), "laban train");
  CHECK(!fs::exists(folder.path() / ".laban-0123456789abcdef.tmp"));
  CHECK(fs::exists(folder.path() / "own.tmp"));
}

TEST_CASE("where no lock can be had, that is noted and nothing fails") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / FolderLock::kLockFile;
  SUBCASE("something else is called so") { fs::create_directory(file); }
  SUBCASE("a link") { fs::create_symlink("elsewhere", file); }
  SUBCASE("a pipe") { REQUIRE(::mkfifo(file.c_str(), 0600) == 0); }
  {
    const FolderLock lock(folder.path(), "laban train");
    CHECK(lock.note().find("cannot be locked (") != std::string::npos);
    CHECK(lock.note().find(folder.path().string()) == 0);
  }
  CHECK(!fs::exists(folder.path() / "elsewhere"));
  CHECK(fs::exists(fs::symlink_status(file)));
}

TEST_CASE("a file of another's called like the lock is locked, and neither written nor removed") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / FolderLock::kLockFile;
  write_file(file, "mine");
  {
    const FolderLock lock(folder.path(), "laban train");
    CHECK_THROWS_WITH_AS(FolderLock(folder.path(), "laban cache"), Contains("in use by another process"),
                         FolderInUse);
  }
  CHECK(read_file(file) == "mine");
}

TEST_CASE("marks of a lock do not fill a folder") {
  const TemporaryFolder folder;
  CHECK(holds_nothing(folder.path() / "absent"));
  const FolderLock lock(folder.path(), "laban synth");
  write_file(folder.path() / ".laban-0123456789abcdef.tmp", "half");
  CHECK(holds_nothing(folder.path()));
  write_file(folder.path() / "notes", "mine");
  CHECK(!holds_nothing(folder.path()));
}

TEST_CASE("many read a folder's files, or one replaces them; whoever holds the folder is no matter") {
  const TemporaryFolder folder;
  const FolderLock lock(folder.path(), "laban train");
  {
    const FolderUse one(folder.path(), FolderUse::Kind::read), two(folder.path(), FolderUse::Kind::read);
    CHECK_THROWS_WITH_AS(FolderUse(folder.path(), FolderUse::Kind::replace), Contains("is being read"),
                         FolderInUse);
  }
  const FolderUse replacing(folder.path(), FolderUse::Kind::replace);
  CHECK_THROWS_WITH_AS(FolderUse(folder.path(), FolderUse::Kind::read), Contains("is being replaced"),
                       FolderInUse);
  CHECK_NOTHROW(FolderUse(folder.path() / "absent", FolderUse::Kind::read));
}
