// The report's style sheet.
#pragma once

#include <string_view>

namespace laban::report {

/// CSS for the whole page: light and dark, phone to print; no fonts or pictures from elsewhere.
std::string_view style_sheet();

}  // namespace laban::report
