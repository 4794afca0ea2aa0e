// laban_soak: damages clips in thousands of ways and uses each as training would, in child processes. Exits
// with 1 if one crashed, hung, or threw anything but a FileError; its file is then kept.
#include <algorithm>
#include <cstdio>
#include <string>

#include "command_line/parse.h"
#include "core/error.h"
#include "data/made_clips.h"
#include "soak/workers.h"

namespace {
using namespace laban;

void print(const soak::Plan& plan, const soak::Outcome& outcome) {
  std::printf(
      "%lld damaged files of %zu clips (seed %llu, from number %lld) in %.0f s: %lld read, %lld refused, %zu "
      "findings\n",
      static_cast<long long>(plan.files), plan.clips.size(), static_cast<unsigned long long>(plan.seed),
      static_cast<long long>(plan.first), outcome.seconds, static_cast<long long>(outcome.read),
      static_cast<long long>(outcome.refused), outcome.findings.size());
  std::printf("slowest: number %lld, %.2f s\nresident memory of %d processes at each tenth, MiB:",
              static_cast<long long>(outcome.slowest_number), outcome.slowest, plan.workers);
  for (const int64_t bytes : outcome.resident) std::printf(" %lld", static_cast<long long>(bytes >> 20));
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  soak::Plan plan;
  std::string clips = LABAN_SOURCE_DIR "/../shared/clips", keep;
  uint64_t largest = 1 << 20;
  tools::Command program("laban_soak", "damage clips in thousands of ways, and use each as training would");
  program.add("--files", plan.files, "number of damaged files").range(1, 100'000'000);
  program.add("--first", plan.first, "number of the first, to see one again");
  program.add("--seed", plan.seed, "random seed");
  program.add("--workers", plan.workers, "processes").range(1, 64);
  program.add("--patience", plan.patience, "seconds that a file may take");
  program.add("--clips", clips, "folder of clips; if there is none, some are made")
      .path(tools::PathKind::folder);
  program.add("--largest", largest, "bytes of a clip, at most");
  program.add("--keep", keep, "folder for the files that were findings").path(tools::PathKind::folder);
  bool asked = false;
  program.action([&] { asked = true; });
  try {
    tools::run_command_line(program, "", {argv + 1, argv + argc});
  } catch (const UsageError& error) {
    std::fprintf(stderr, "laban_soak: %s\n", error.what());
    return 2;
  }
  if (!asked) return 0;  // help

  const test::Folder scratch("soak");
  plan.scratch = scratch.path();
  plan.clips = soak::find_clips(clips, largest, scratch.path());
  const soak::Outcome outcome = soak::soak(plan, [&](int64_t done) {
    std::printf("%lld of %lld\n", static_cast<long long>(done), static_cast<long long>(plan.files));
    std::fflush(stdout);
  });
  print(plan, outcome);
  constexpr size_t kShown = 50;
  if (outcome.findings.size() > kShown)
    std::printf("the first %zu of %zu findings:\n", kShown, outcome.findings.size());
  for (size_t i = 0; i < std::min(kShown, outcome.findings.size()); ++i) {
    const soak::Finding& finding = outcome.findings[i];
    if (finding.number < 0) {
      std::printf("after the last file: %s\n", finding.what.c_str());
      continue;
    }
    const soak::Damaged damaged = soak::damaged_file(plan.clips, plan.seed, finding.number);
    std::printf("number %lld: %s\n  %s\n", static_cast<long long>(finding.number), finding.what.c_str(),
                damaged.name.c_str());
    if (!keep.empty())
      test::write_bytes(std::filesystem::path(keep) / (std::to_string(finding.number) + damaged.extension),
                        damaged.bytes);
  }
  return outcome.findings.empty() ? 0 : 1;
}
