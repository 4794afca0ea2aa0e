// Instruction sets: names, what the machine has, what is said of one that it lacks.
#include "cpu/isa.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "cpu/kernels.h"

using namespace laban;
using namespace laban::cpu;

TEST_CASE("isa: names are read as they are written") {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512, Isa::avx512bf16, Isa::neon})
    CHECK(isa_named(name_of(isa)) == isa);
  CHECK_THROWS_WITH_AS(isa_named("avx3"), doctest::Contains("no instruction set 'avx3'"), UsageError);
  CHECK_THROWS_WITH_AS(isa_named(""), doctest::Contains("Available: baseline, avx2,"), UsageError);
}

TEST_CASE("isa: the machine runs the least of the kernels, and the best is the last of those it runs") {
  const auto compiled = compiled_isas(), runnable = runnable_isas();
  REQUIRE(!runnable.empty());
  CHECK(runnable.front() == compiled.front());
  CHECK(best_isa() == runnable.back());
  for (const Isa isa : compiled) {
    CHECK(kernels_for(isa).isa == isa);
    CHECK(can_run(isa) == (std::ranges::find(runnable, isa) != runnable.end()));
    if (can_run(isa)) CHECK(CpuBackend(CpuSettings{.threads = 1, .isa = isa}).isa() == isa);
  }
  CHECK(CpuBackend(1).isa() == best_isa());
}

TEST_CASE("isa: one that the machine or the build lacks is refused with what is missing") {
#if defined(__x86_64__)
  const Isa foreign = Isa::neon;
#else
  const Isa foreign = Isa::avx2;
#endif
  CHECK(!can_run(foreign));
  CHECK_THROWS_WITH_AS(CpuBackend(CpuSettings{.isa = foreign}), doctest::Contains("this build has "),
                       UsageError);
  for (const Isa isa : compiled_isas())
    if (!can_run(isa))
      CHECK_THROWS_WITH_AS(CpuBackend(CpuSettings{.isa = isa}),
                           doctest::Contains(("lacks " + lacking(isa)).c_str()), UsageError);
}

TEST_CASE("isa: wider instruction sets have wider vectors") {
  int lanes = 0;
  for (const Isa isa : compiled_isas()) {
    CHECK(kernels_for(isa).lanes >= lanes);
    lanes = kernels_for(isa).lanes;
  }
#if defined(__x86_64__)
  CHECK(kernels_for(Isa::baseline).lanes == 4);
  CHECK(kernels_for(Isa::avx2).lanes == 8);
  CHECK(kernels_for(Isa::avx512bf16).lanes == 16);
#endif
}
