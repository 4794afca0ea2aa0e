// How deep JSON nests, seen before it is parsed: libraries walk what they have parsed by recursion, so a few
// thousand brackets in somebody's file would overflow the stack.
#pragma once

#include <cstddef>
#include <string_view>

namespace laban {

/// Much more than any file of laban's has.
constexpr size_t kDeepestJson = 64;

/// Whether brackets nest deeper than `levels`; those in strings do not count. Of anything that is no JSON, too.
bool nests_deeper_than(std::string_view json, size_t levels);

}  // namespace laban
