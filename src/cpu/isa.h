// The instruction sets that the kernels are compiled for, and which of them this processor has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace laban::cpu {

/// On x86-64 in the order of what they can do; each has all that those before it have.
enum class Isa : uint8_t {
  baseline,    // any x86-64: SSE2
  avx2,        // x86-64-v3: AVX2, FMA
  avx512,      // x86-64-v4: AVX-512 F, BW, CD, DQ, VL
  avx512bf16,  // that and AVX-512 BF16
  neon,        // any aarch64
};

/// "baseline", "avx2", "avx512", "avx512bf16", "neon".
std::string_view name_of(Isa isa);
/// Throws UsageError, naming those that there are, where there is none of this name.
Isa isa_named(std::string_view name);

/// Those that this build has kernels for, from the least to the best.
const std::vector<Isa>& compiled_isas();
/// What this machine, or this build, lacks to run kernels of this instruction set ("avx512f, avx512bw"); empty
/// where it runs them.
std::string lacking(Isa isa);
inline bool can_run(Isa isa) { return lacking(isa).empty(); }
/// Those of compiled_isas() that this machine runs. There is always one.
std::vector<Isa> runnable_isas();
/// The best of them.
Isa best_isa();
/// Throws UsageError where this machine cannot run it, with what it lacks and what it has.
void require_isa(Isa isa);

}  // namespace laban::cpu
