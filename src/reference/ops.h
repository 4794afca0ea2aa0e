// How the reference computes an op.
#pragma once

#include "core/backend.h"

namespace laban::reference {

/// The loops of an op, and the bytes of scratch that they need (0: none). A .cpp file of this folder defines
/// both for each op of AllOps; where one is missing, the linker names it.
template <class Op>
void run(const Op& op, Scratch scratch);
template <class Op>
size_t scratch_bytes(const Op& op);

}  // namespace laban::reference
