// Child processes that use damaged files, watched by their parent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "soak/reading.h"

namespace laban::soak {

struct Plan {
  std::vector<Clip> clips;
  uint64_t seed = 1;
  int64_t first = 0, files = 10'000;  // numbers first to first + files - 1
  int workers = 1;
  double patience = 10;           // seconds a file
  std::filesystem::path scratch;  // each child writes its file here
};

struct Finding {
  int64_t number = 0;  // of the file; -1: none was in work, it was found at the process's end (a leak)
  std::string what;    // "signal 11 (Segmentation fault)", "nothing for 10 seconds", "exit code 23"
};

struct Outcome {
  int64_t read = 0, refused = 0;
  std::vector<Finding> findings;
  std::vector<int64_t> resident;  // bytes, of all children together, at each tenth of the files
  double seconds = 0, slowest = 0;
  int64_t slowest_number = 0;
};

/// Uses every file of the plan. A child that dies, or that is silent for too long, is a finding; another one
/// goes on behind that file. `progress` is told now and then how many files are done.
Outcome soak(const Plan& plan, const std::function<void(int64_t)>& progress);

}  // namespace laban::soak
