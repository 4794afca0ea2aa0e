// From a file of weights into a network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/network.h"
#include "weights/state_dict.h"

namespace laban {

/// What to do where the file's last layer has another number of classes than the network, or is missing.
enum class HeadPolicy {
  must_fit,
  keep_own,  // the network's own last layer stays as it is (freshly drawn): to fine-tune for other classes
};

struct LoadedWeights {
  size_t tensors = 0;                   // that came from the file
  bool own_head = false;                // the last layer did not
  std::optional<int64_t> file_classes;  // that the file's last layer has
};

/// Reads weights, running statistics and (where there are any) batch counts into the network, under any of
/// the known names. Throws FileError, and leaves the network as it was, where tensors are missing, unexpected
/// or of another shape: all of them are listed, and models that the file would fit are named. Throws
/// FileError as well for weights that are whole numbers, for values that are NaN or infinite, and for
/// negative variances.
LoadedWeights load_weights(Network& network, const std::filesystem::path& file, HeadPolicy head);
LoadedWeights load_weights(Network& network, const StateDict& state, HeadPolicy head);
/// Throws as load_weights would for names and shapes, before a network of `spec` has taken any memory: a tiny
/// file can name a size that no machine has.
void require_fit(const StateDict& state, const ModelSpec& spec, HeadPolicy head);

/// Whether the file has anything of a last layer.
bool has_head(const StateDict& state);
/// How many classes a file's last layer tells apart. Throws FileError where it has none.
int64_t classes_of(const StateDict& state);

/// The flags with which laban builds a model that the file fits, with its last layer or without any: "--model
/// r2plus1d_34
/// --midplanes per-conv". Empty where there is none. (A batch norm's eps is in no file.)
std::vector<std::string> fitting_models(const StateDict& state);

}  // namespace laban
