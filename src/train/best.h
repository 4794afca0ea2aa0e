// Which epoch of a run is its best.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace laban {

enum class BestBy {
  automatic,  // best_by_for() chooses
  loss,
  accuracy,
  macro_f1,
  last,  // the newest epoch, whatever it reached
};

/// What an epoch reached on the validation clips.
struct ValidationScore {
  double loss = 0, accuracy = 0, macro_f1 = 0;
};

/// What to judge epochs by, from the number of validation clips of every class; classes without clips do not count:
///   last      below kTooFewClips clips in all: they cannot tell epochs apart, and a falling learning rate makes the last
///             epoch the best bet; with `patience`, which needs a measure, loss;
///   loss      below kFewClips clips in all, or kFewOfClass in a class: one clip more or less, which is chance, then
///             moves accuracy or F1 by more than epochs differ, while the loss weighs how sure the network is of each;
///   macro_f1  if the largest class has at least kUneven times the clips of the smallest: accuracy would be won by
///             preferring the large classes;
///   accuracy  otherwise.
/// Never `automatic`.
BestBy best_by_for(std::span<const int64_t> clips_by_class, bool patience = false);
constexpr int64_t kTooFewClips = 20, kFewClips = 100, kFewOfClass = 5, kUneven = 2;

/// What follows "best epoch" in a sentence: " by validation loss", ", the last". Not of `automatic`.
std::string by_what(BestBy by);

/// Whether `a`, the newer, is better than `b`; ties in accuracy or F1, which are likely with few clips, are decided by the loss.
/// `by` is not `automatic`.
bool is_better(BestBy by, const ValidationScore& a, const ValidationScore& b);

}  // namespace laban
