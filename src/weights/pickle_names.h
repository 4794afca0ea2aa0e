// Which names a pickle may mention.
#pragma once

#include <optional>
#include <string_view>

#include "weights/pickle.h"

namespace laban::pickle {

/// Nothing where the name is not allowed.
std::optional<Name> allowed_name(std::string_view module, std::string_view name);

}  // namespace laban::pickle
