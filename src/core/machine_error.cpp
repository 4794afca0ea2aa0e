#include "core/machine_error.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "core/descriptor.h"

namespace laban {
namespace {

struct Fault {
  int code;
  const char* name;
  const char* advice;
};
constexpr const char* kDescriptors =
    "Raise the limit (`ulimit -n 4096`), or use fewer --workers: each holds a few files open.";
constexpr const char* kMemory =
    "Close other programs, raise the memory limit, or use fewer --workers and a smaller --batch.";
constexpr const char* kNetwork = "The file system has gone away: mount it again, and repeat the command.";
constexpr std::array kFaults{
    Fault{EMFILE, "EMFILE", kDescriptors},   Fault{ENFILE, "ENFILE", kDescriptors},
    Fault{ENOMEM, "ENOMEM", kMemory},        Fault{ENOBUFS, "ENOBUFS", kMemory},
    Fault{EAGAIN, "EAGAIN", kMemory},        Fault{ESTALE, "ESTALE", kNetwork},
    Fault{ETIMEDOUT, "ETIMEDOUT", kNetwork}, Fault{ENOTCONN, "ENOTCONN", kNetwork},
    Fault{EHOSTDOWN, "EHOSTDOWN", kNetwork}, Fault{EHOSTUNREACH, "EHOSTUNREACH", kNetwork}};

/// The addresses that this process has, in bytes.
struct Addresses {
  size_t now = 0, peak = 0;
  size_t allowed = 0;  // 0: nothing limits them
};

Addresses addresses_of_process() {
  Addresses addresses;
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return addresses;
  addresses.allowed = limit.rlim_cur;
  // Without the heap, of which nothing may be left.
  std::array<char, 4096> status{};
  const Descriptor file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  if (!file.open() || ::read(file.get(), status.data(), status.size() - 1) <= 0) return addresses;
  const auto kibibytes = [&](const char* key) -> size_t {
    const char* const at = std::strstr(status.data(), key);
    return at ? std::strtoull(at + std::strlen(key), nullptr, 10) : 0;
  };
  addresses.now = kibibytes("VmSize:") << 10, addresses.peak = kibibytes("VmPeak:") << 10;
  return addresses;
}

const Fault* find(int code) {
  const auto* const found = std::ranges::find(kFaults, code, &Fault::code);
  return found == kFaults.end() ? nullptr : found;
}

}  // namespace

bool is_machine_fault(int code) { return find(code) != nullptr; }

std::string name_of_fault(int code) {
  const std::string message = std::generic_category().message(code);
  const Fault* const fault = find(code);
  return fault ? text(message, " (", fault->name, ")") : message;
}

void throw_file_fault(const std::filesystem::path& file, const std::string& what, int code,
                      const std::string& advice) {
  if (const Fault* const fault = find(code)) {
    const std::string memory = code == ENOMEM ? memory_in_use() : "";
    throw MachineError(
        text(visible(file.string()), " ", what, ": ", name_of_fault(code),
             memory.empty() ? "" : "; " + memory, ". This is a fault of the machine, not of the file"),
        fault->advice);
  }
  throw FileError(file.string(), what + ": " + name_of_fault(code), advice);
}

void throw_if_machine_fault(const std::filesystem::path& file, int code, size_t needed) {
  // EAGAIN: what libraries say when they want more input.
  if (is_machine_fault(code) && code != EAGAIN && code != ENOMEM)
    throw_file_fault(file, "cannot be read", code);
  throw_if_memory_was_short(file, needed);
}

void throw_if_memory_was_short(const std::filesystem::path& file, size_t needed) {
  // Another thread may have given back since what this one lacked.
  const Addresses addresses = addresses_of_process();
  const bool was_short = addresses.allowed > 0 && addresses.peak + needed > addresses.allowed;
  if (was_short || is_memory_short(needed)) throw_out_of_memory(file);
}

std::string memory_in_use() {
  const Addresses addresses = addresses_of_process();
  if (addresses.allowed == 0) return "";
  return text(addresses.now >> 20, " MiB of memory are in use, of ", addresses.allowed >> 20,
              " MiB that are allowed (ulimit -v)");
}

bool is_memory_short(size_t bytes) {
  void* volatile memory = std::malloc(bytes);  // volatile: or the compiler would leave both calls out
  std::free(memory);
  return memory == nullptr;
}

void throw_out_of_memory(const std::filesystem::path& file) {
  throw_file_fault(file, "cannot be read", ENOMEM);
}

}  // namespace laban
