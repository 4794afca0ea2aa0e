// Ctrl-C and SIGTERM: the first asks to stop at the next safe point, the second stops at once.
#pragma once

#include <atomic>

namespace laban::tools {

/// From here on SIGINT and SIGTERM set the flag instead of ending the program; a second one exits with 130.
void install_interrupt_handler();
/// The flag itself, for code that takes a stop flag.
const std::atomic<bool>& interrupt_flag();
inline bool interrupted() { return interrupt_flag().load(std::memory_order_relaxed); }

}  // namespace laban::tools
