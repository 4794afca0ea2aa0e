#include "core/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "core/descriptor.h"
#include "core/machine_error.h"

namespace laban {

FileBytes map_file(std::filesystem::path path) {
  const auto fail = [&](const std::string& what) {
    throw_file_fault(path, what, errno, "Check its permissions.");
  };
  // Asked before opening: to open a pipe would wait for its writer.
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) throw FileError(path.string(), "does not exist");
  if (!std::filesystem::is_regular_file(status)) throw FileError(path.string(), "is not a file");

  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) fail("cannot be opened");
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) fail("cannot be read");
  const auto size = static_cast<size_t>(facts.st_size);
  if (size == 0) return {std::move(path), {}, nullptr};
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) fail("cannot be mapped into memory");
  std::shared_ptr<const void> owner(data, [size](const void* mapped) {
    ::munmap(const_cast<void*>(mapped), size);  // munmap wants what mmap gave
  });
  return {std::move(path), {static_cast<const std::byte*>(data), size}, std::move(owner)};
}

}  // namespace laban
