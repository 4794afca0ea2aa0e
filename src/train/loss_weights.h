// What the classes weigh in the loss (--loss-weights).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace laban {

/// One weight a class, for LossSettings::class_weights, of what the setting says:
///   none              empty: all classes weigh the same
///   balanced          w_c = N / (C n_c) with the n_c training clips of class c, N in all, C classes that have some: every
///                     class contributes the same, and the mean over the clips is 1; classes without clips weigh 0
///   NAME=W,NAME=W...  as given, at least 0; classes that are not named weigh 1
/// `clips` are the training clips of each class. Throws UsageError where the text is none of these, names a class
/// that does not exist, or leaves nothing to learn.
std::vector<double> loss_weights(const std::string& setting, std::span<const std::string> classes,
                                 std::span<const int64_t> clips);

}  // namespace laban
