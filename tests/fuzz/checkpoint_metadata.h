// The metadata of a small checkpoint: what the fuzz target changes, and its seeds begin with.
#pragma once

#include <array>
#include <map>
#include <string>

namespace laban::fuzz {

/// The texts that are read further.
inline constexpr std::array<const char*, 4> kCheckpointTexts{"config", "classes", "state", "clips"};

inline std::map<std::string, std::string> checkpoint_metadata() {
  return {
      {"format", "laban.checkpoint.1"},
      {"version", "1"},
      {"model", "r2plus1d_tiny"},
      {"dataset", "2 clips, 0"},
      {"config",
       "[data]\npath = \"clips\"\nmax_pixels = 67108864\n\n[clip]\nframes = 8\nsize = \"56x64\"\nmean = [0.4, "
       "0.4, 0.4]\n\n[model]\nname = \"r2plus1d_tiny\"\n\n[train]\nepochs = 3\nbatch = 2\nlr = 0.1\n"},
      {"classes", R"(["a","b"])"},
      {"state",
       R"({"epoch":1,"batch":0,"step":4,"batches_run":4,"loss_sum":0.5,"clips":0,"correct":0,"seconds":1.5,)"
       R"("best_accuracy":0.5,"best_loss":0.7,"best_macro_f1":0.5,"best_epoch":1,"metrics_bytes":100,"seed":1})"},
      {"clips", ""}};
}

}  // namespace laban::fuzz
