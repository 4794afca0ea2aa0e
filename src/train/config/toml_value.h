// Single values as TOML writes them.
#pragma once

#include <string>
#include <string_view>

namespace laban {

/// The shortest digits that read back as the same number, in a form that TOML takes for a float.
std::string toml_number(double value);
std::string toml_number(float value);
/// In quotes, with escapes where they are needed.
std::string toml_string(std::string_view value);

/// A value as a flag takes it: without quotes, brackets and the spaces of lists. What is no TOML stays as it is.
std::string toml_as_flag(std::string toml);

}  // namespace laban
