// Faults of the machine: no more descriptors, memory or threads, a network folder that has gone. Whatever file
// was being read when they came, it is not to blame, so they are no FileErrors: no policy for bad files applies
// to them, and the work stops.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "core/error.h"

namespace laban {

class MachineError : public Error {
 public:
  using Error::Error;
};

/// Whether a system call failed with `code` (errno) for a reason that lies outside the file.
bool is_machine_fault(int code);

/// "Too many open files (EMFILE)".
std::string name_of_fault(int code);

/// Throws MachineError for such a code, with what to do; else FileError. `what`: "cannot be opened".
[[noreturn]] void throw_file_fault(const std::filesystem::path& file, const std::string& what, int code,
                                   const std::string& advice = "Check the path and its permissions.");

/// What a library's own code for a lack of memory, or a system call's, means for work on `file`: throws
/// MachineError if it is a fault of the machine, and returns if not. `needed`: a lack of memory counts as such
/// where not even so much is to be had, or was to be had.
void throw_if_machine_fault(const std::filesystem::path& file, int code, size_t needed = size_t{64} << 20);

/// The same where a library has failed for reasons of its own, and may have failed for want of memory without
/// saying so.
void throw_if_memory_was_short(const std::filesystem::path& file, size_t needed = size_t{64} << 20);

/// "187 MiB are in use, of 200 MiB that are allowed (ulimit -v)"; empty where nothing limits it.
std::string memory_in_use();

/// Whether not even this much memory is to be had: whether a library that reports a lack of memory is right, or has
/// been asked for an absurd amount by a damaged file.
bool is_memory_short(size_t bytes);

/// Throws MachineError where memory ran out while `file` was read.
[[noreturn]] void throw_out_of_memory(const std::filesystem::path& file);

}  // namespace laban
