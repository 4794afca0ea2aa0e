#include "cpu/isa.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"

namespace laban::cpu {
namespace {

constexpr std::array<std::pair<Isa, std::string_view>, 5> kNames{{{Isa::baseline, "baseline"},
                                                                  {Isa::avx2, "avx2"},
                                                                  {Isa::avx512, "avx512"},
                                                                  {Isa::avx512bf16, "avx512bf16"},
                                                                  {Isa::neon, "neon"}}};

std::string listed(const std::vector<Isa>& isas) {
  std::string list;
  for (const Isa isa : isas) list += (list.empty() ? "" : ", ") + std::string(name_of(isa));
  return list;
}

#if defined(__x86_64__)
/// The names of features that the processor lacks, or that the system does not save for threads.
std::string missing_features(Isa isa) {
  std::string missing;
  const auto needs = [&](const char* name, bool has) {
    if (!has) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  __builtin_cpu_init();
#define LABAN_NEEDS(feature) needs(feature, __builtin_cpu_supports(feature))  // takes literals only
  if (isa >= Isa::avx2) {
    LABAN_NEEDS("avx");
    LABAN_NEEDS("avx2");
    LABAN_NEEDS("bmi");
    LABAN_NEEDS("bmi2");
    LABAN_NEEDS("f16c");
    LABAN_NEEDS("fma");
    LABAN_NEEDS("lzcnt");
    LABAN_NEEDS("movbe");
  }
  if (isa >= Isa::avx512) {
    LABAN_NEEDS("avx512f");
    LABAN_NEEDS("avx512bw");
    LABAN_NEEDS("avx512cd");
    LABAN_NEEDS("avx512dq");
    LABAN_NEEDS("avx512vl");
  }
  if (isa >= Isa::avx512bf16) LABAN_NEEDS("avx512bf16");
#undef LABAN_NEEDS
  return missing;
}
#else
std::string missing_features(Isa) { return {}; }
#endif

}  // namespace

std::string_view name_of(Isa isa) {
  for (const auto& [known, name] : kNames)
    if (known == isa) return name;
  throw std::logic_error("name_of: no such instruction set");
}

Isa isa_named(std::string_view name) {
  for (const auto& [isa, known] : kNames)
    if (known == name) return isa;
  std::string known;
  for (const auto& entry : kNames) known += (known.empty() ? "" : ", ") + std::string(entry.second);
  throw UsageError(text("there is no instruction set '", name, "'"), "Available: " + known + ".");
}

const std::vector<Isa>& compiled_isas() {
#define LABAN_KERNELS(isa) Isa::isa,
  static const std::vector<Isa> isas{LABAN_ALL_KERNELS};
#undef LABAN_KERNELS
  return isas;
}

std::string lacking(Isa isa) {
  if (std::ranges::find(compiled_isas(), isa) == compiled_isas().end())
    return text("kernels for ", name_of(isa), " (this build has ", listed(compiled_isas()), ")");
  return missing_features(isa);
}

std::vector<Isa> runnable_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : compiled_isas())
    if (can_run(isa)) isas.push_back(isa);
  return isas;
}

Isa best_isa() { return runnable_isas().back(); }

void require_isa(Isa isa) {
  if (const std::string lacks = lacking(isa); !lacks.empty())
    throw UsageError(
        text("the instruction set ", name_of(isa), " cannot be used here: this machine lacks ", lacks),
        "It runs " + listed(runnable_isas()) + ".");
}

}  // namespace laban::cpu
