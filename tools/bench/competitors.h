// Processes that take processor time from a benchmark, as whatever else runs on a machine does.
#pragma once

#include <sys/types.h>

#include <vector>

namespace laban::tools {

/// One process on each processor that this one may use, ten steps nicer than this one; each does nothing but
/// compute. They end with this object, or with the process. Make it before the first thread: it forks.
class Competitors {
 public:
  /// They wait until they are told to compete. Throws Error where the system starts none.
  Competitors();
  ~Competitors();
  Competitors(const Competitors&) = delete;
  Competitors& operator=(const Competitors&) = delete;

  int count() const { return static_cast<int>(processes_.size()); }
  void compete(bool on);

 private:
  std::vector<pid_t> processes_;
};

}  // namespace laban::tools
