// What kind of pass goes through a network.
#pragma once

namespace laban {

enum class Mode {
  train,     // batch statistics, dropout on, tensors saved for backward
  evaluate,  // running statistics, dropout off, nothing saved
  frozen,    // running statistics as constants and dropout off, but tensors saved: backward is allowed
};

}  // namespace laban
