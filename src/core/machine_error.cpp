#include "core/machine_error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

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
  if (const Fault* const fault = find(code))
    throw MachineError(text(visible(file.string()), " ", what, ": ", name_of_fault(code),
                            ". This is a fault of the machine, not of the file"),
                       fault->advice);
  throw FileError(file.string(), what + ": " + name_of_fault(code), advice);
}

void throw_if_machine_fault(const std::filesystem::path& file, int code, size_t needed) {
  // EAGAIN: what libraries say when they want more input.
  if (is_machine_fault(code) && code != EAGAIN && (code != ENOMEM || is_memory_short(needed)))
    throw_file_fault(file, "cannot be read", code);
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
