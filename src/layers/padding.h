// The number of channels after padding, on a backend that pads them (Backend::channel_multiple).
#pragma once

#include <cstdint>

namespace laban {

constexpr int64_t padded(int64_t channels, int64_t multiple) {
  return (channels + multiple - 1) / multiple * multiple;
}

}  // namespace laban
