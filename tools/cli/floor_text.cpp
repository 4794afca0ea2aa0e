#include "cli/floor_text.h"

#include <cmath>
#include <cstdio>

#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/text.h"

namespace laban::tools {

std::string floor_table(const Floor& floor) {
  Table table({"split", "clips", "floor", "accuracy (95 % interval)", "balanced accuracy", "macro-F1"},
              "lrllrr");
  const auto number = [](double value) { return std::isfinite(value) ? fixed(value, 3) : std::string("–"); };
  for (const char* split : {"val", "test"})
    for (const FloorMethod& method : floor.methods)
      for (const FloorScore& score : method.scores)
        if (score.split == split)
          table.add({split, std::to_string(score.clips), floor_words(method.name),
                     score.ci95 ? text(percent(score.accuracy), " (", percent(score.ci95->low, 0), " to ",
                                       percent(score.ci95->high, 0), ")")
                                : percent(score.accuracy),
                     number(score.balanced_accuracy), number(score.macro_f1)});
  return table.str();
}

std::string floor_line(const Floor& floor, const std::string& split, BestBy by) {
  const auto best = floor.best(split, by);
  if (!best) return "";
  const FloorScore& score = *best->score;
  return text("floor on ", split, ": accuracy ", percent(score.accuracy), ", macro-F1 ",
              fixed(score.macro_f1, 3), ", by ", floor_words(best->method->name));
}

std::optional<Floor> measure_floor_with_progress(const Dataset& dataset, const Config& config) {
  std::optional<Progress> progress;
  auto floor = measure_floor(
      dataset, config,
      [&](int64_t done, int64_t of) {
        if (!progress) progress.emplace("measuring the floor", of);
        progress->update(done);
        return !interrupted();
      },
      &interrupt_flag());
  if (progress) progress->finish();
  if (floor)
    for (const std::string& note : floor->notes) std::fprintf(stderr, "note: floor: %s\n", note.c_str());
  return floor;
}

}  // namespace laban::tools
