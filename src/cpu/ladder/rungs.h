// The ladder's rungs as an instruction set's table (cpu/kernels/table.cpp) names them.
#pragma once

#include "cpu/kernels/isa_namespace.h"
#include "cpu/ladder/ladder.h"

namespace laban::cpu::LABAN_ISA {

/// From the first rung to the last.
std::span<const LadderRung> ladder();

}  // namespace laban::cpu::LABAN_ISA
