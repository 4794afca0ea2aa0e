// Public files of weights that fit laban's models: what their authors say of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/model_spec.h"
#include "weights/state_dict.h"

namespace laban {

/// One file. Only what is published stands here; the rest is empty.
struct PublicWeights {
  std::string name;     // "torchvision/r3d_18": for laban's command line
  std::string file;     // its name, as published
  std::string sha256;   // lower-case digits, all or the first that are published
  std::string address;  // of the file; of the page that has it, where `direct` is false
  bool direct = true;
  std::string model;  // laban's name for the model
  ModelOptions options = {};
  std::string trained_on;
  int64_t classes = 0;
  std::string accuracy;  // on the validation videos of `trained_on`, with what it is
  std::string size;      // of the file
  /// What a clip is: flags without dashes, and values.
  std::vector<std::pair<std::string, std::string>> clips = {};
};

std::span<const PublicWeights> public_weights();
/// Null where there is none of that name.
const PublicWeights* public_weights_named(std::string_view name);
/// "torchvision/r3d_18, ..."
std::string public_weights_names();

struct Recognized {
  const PublicWeights* weights = nullptr;
  std::string evidence;  // for a sentence: "its SHA-256 begins with b3b3357e, as published"
};
/// Which public file this is: by its SHA-256 where one is published; else by its name and its tensors, which must
/// fit the model and its number of classes. `doubt` is set where a file has a public file's name but cannot be it.
/// Reads the whole file where its tensors are like those of a file with a published SHA-256.
std::optional<Recognized> recognize(const StateDict& state, std::string& doubt);

/// The SHA-256 of a file, 64 lower-case digits. Throws FileError where it cannot be read.
std::string sha256_of(const std::filesystem::path& file);

}  // namespace laban
