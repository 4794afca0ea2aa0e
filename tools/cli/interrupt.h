// Ctrl-C, SIGTERM and SIGHUP: the first asks to stop at the next safe point; a second Ctrl-C or SIGTERM stops
// at once.
#pragma once

#include <atomic>

namespace laban::tools {

/// From here on SIGINT, SIGTERM and SIGHUP (a closed terminal) set the flag instead of ending the program; a
/// second SIGINT or SIGTERM exits with 130. SIGHUP is not counted: who closes a terminal sends several
/// signals. Where it is ignored (nohup), it stays so.
void install_interrupt_handler();
/// The flag itself, for code that takes a stop flag.
const std::atomic<bool>& interrupt_flag();
inline bool interrupted() { return interrupt_flag().load(std::memory_order_relaxed); }

/// For commands whose result is files: they go on where nobody reads any more what they print (`| head`, a
/// pipe whose other end has died). What they print is then lost without a word.
void outlive_readers();

}  // namespace laban::tools
