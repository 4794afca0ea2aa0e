// Ways in which files get damaged: by bad disks, broken transfers, programs that wrote only half of them.
#pragma once

#include <string>
#include <vector>

#include "core/rng.h"

namespace laban::soak {

/// Damages a file's bytes, and says how: "17 bits flipped in the first 2048 bytes".
std::string damage(std::vector<unsigned char>& bytes, Rng& rng);

}  // namespace laban::soak
