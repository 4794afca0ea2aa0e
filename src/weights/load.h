// Loads a weight file into a network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "models/network.h"
#include "weights/state_dict.h"

namespace laban {

/// What to do if the file's last layer has a different number of classes than the network, or is missing.
enum class HeadPolicy {
  must_fit,
  keep_own,  // keep the network's own last layer (randomly initialized), to fine-tune for other classes
};

struct LoadedWeights {
  size_t tensors = 0;                   // loaded from the file
  bool own_head = false;                // the last layer was not loaded
  std::optional<int64_t> file_classes;  // of the file's last layer
};

/// Loads weights, running statistics and (if any) batch counts into the network, with any of the known naming
/// schemes. Throws FileError, and leaves the network unchanged, if tensors are missing, unexpected or of a
/// different shape: all of them are listed, along with models that the file would fit. Also throws FileError
/// for integer weights, NaN or infinite values, and negative variances.
LoadedWeights load_weights(Network& network, const std::filesystem::path& file, HeadPolicy head);
LoadedWeights load_weights(Network& network, const StateDict& state, HeadPolicy head);
/// Throws like load_weights for names and shapes, before memory is allocated for a network of `spec`: a tiny
/// file can specify a size that no machine has.
void require_fit(const StateDict& state, const ModelSpec& spec, HeadPolicy head);

/// Whether names and shapes fit `spec`, last layer included.
bool fits(const StateDict& state, const ModelSpec& spec);

/// Whether the file has any part of a last layer.
bool has_head(const StateDict& state);
/// The number of classes in a file's last layer. Throws FileError if it has none.
int64_t classes_of(const StateDict& state);

/// The flags of models that the file fits, with or without its last layer: "--model r2plus1d_34 --midplanes
/// per-conv". Empty if there are none. (The eps of batch norms is not in any file.)
std::vector<std::string> fitting_models(const StateDict& state);

}  // namespace laban
