// Which known name somebody may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace laban {

/// The known names that resemble `name` most, best first; at most three, and none that is too far off.
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& known);

/// "Did you mean momentum?", or, where nothing is near, "Available: lr, momentum, eps."
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace laban
