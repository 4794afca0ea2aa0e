// "Did you mean …?": the known names that a mistyped one resembles.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace laban {

/// The known names that resemble `name` most, best first; at most three, and none that is too far off. Names
/// that begin with it count as near.
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known);

/// Advice for a name that is none of `known`: "Did you mean train? Available: eval, train." Only the likely
/// ones where these are too many to list.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace laban
