// What a fuzz target does with an accepted state dict: reads all of it.
#pragma once

#include <algorithm>

#include "core/error.h"
#include "weights/foreign_model.h"
#include "weights/own_keys.h"
#include "weights/state_dict.h"

namespace laban::fuzz {

/// Reads every tensor. A tensor may be refused (FileError); anything else that is thrown is a defect.
inline void read_all(const StateDict& state) {
  for (const auto& [name, tensor] : state.tensors()) {
    try {
      state.values(name);
    } catch (const FileError&) {
    }
  }
  try {
    with_own_keys(state);
  } catch (const FileError&) {
  }
  foreign_model(state);
}

}  // namespace laban::fuzz
