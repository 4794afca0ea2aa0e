#include "core/file_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "core/descriptor.h"
#include "core/machine_error.h"

namespace laban {
namespace {

struct Facts {
  int64_t size = 0, seconds = 0, nanoseconds = 0;

  bool operator==(const Facts&) const = default;
};

bool look_at(int descriptor, Facts& facts) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return false;
  facts = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
  return true;
}

constexpr const char* kLeaveAlone = "Leave files alone while laban reads them: repeat the command.";

}  // namespace

struct FileBytes::OpenFile {
  Descriptor descriptor;
  Facts facts;  // as it was opened
};

FileBytes::FileBytes(std::filesystem::path path) : path_(std::move(path)) {
  const auto fail = [&](const std::string& what) {
    throw_file_fault(path_, what, errno, "Check its permissions.");
  };
  // Asked before opening: to open a pipe would wait for its writer.
  std::error_code code;
  const auto status = std::filesystem::status(path_, code);
  if (!std::filesystem::exists(status)) throw FileError(path_.string(), "does not exist");
  if (!std::filesystem::is_regular_file(status)) throw FileError(path_.string(), "is not a file");

  Descriptor descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.open()) fail("cannot be opened");
  Facts facts;
  if (!look_at(descriptor.get(), facts)) fail("cannot be read");
  size_ = static_cast<uint64_t>(facts.size);
  file_ = std::make_shared<const OpenFile>(OpenFile{std::move(descriptor), facts});
}

FileBytes::FileBytes(std::filesystem::path path, std::span<const std::byte> bytes)
    : path_(std::move(path)), memory_(bytes), size_(bytes.size()) {}

void FileBytes::read(uint64_t at, std::span<std::byte> out) const {
  require(at <= size_ && out.size() <= size_ - at, "FileBytes: beyond the end");
  if (out.empty()) return;
  if (!file_) {
    std::memcpy(out.data(), memory_.data() + at, out.size());
    return;
  }
  const int descriptor = file_->descriptor.get();
  const auto fail = [&] { throw_file_fault(path_, "cannot be read", errno, "Check the disk."); };
  for (size_t done = 0; done < out.size();) {
    const ssize_t got =
        ::pread(descriptor, out.data() + done, out.size() - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail();
    if (got == 0) throw FileError(path_.string(), "became shorter while it was read", kLeaveAlone);
    done += static_cast<size_t>(got);
  }
  Facts now;
  if (!look_at(descriptor, now)) fail();
  if (now != file_->facts) throw FileError(path_.string(), "was changed while it was read", kLeaveAlone);
}

std::vector<std::byte> FileBytes::read(uint64_t at, uint64_t bytes) const {
  std::vector<std::byte> out(std::min(bytes, size_ - std::min(at, size_)));
  read(at, out);
  return out;
}

void FileBytes::for_each_piece(uint64_t at, uint64_t bytes,
                               const std::function<void(std::span<const std::byte>)>& take) const {
  constexpr uint64_t kPiece = uint64_t{1} << 20;
  std::vector<std::byte> piece(std::min(bytes, kPiece));
  for (uint64_t done = 0; done < bytes; done += piece.size()) {
    piece.resize(std::min(bytes - done, kPiece));
    read(at + done, piece);
    take(piece);
  }
}

}  // namespace laban
