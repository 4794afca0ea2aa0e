// laban bench roofline: its totals against independently known ones.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "support/program.h"

namespace {

laban::test::ProgramResult bench_roofline(const std::string& flags) {
  return laban::test::laban_with(laban::test::words("bench roofline " + flags));
}
nlohmann::json roofline(const std::string& flags) {
  const auto result = bench_roofline("--json " + flags);
  REQUIRE(result.code == 0);
  return nlohmann::json::parse(result.out);
}

const nlohmann::json& op(const nlohmann::json& report, const std::string& name) {
  const auto found = std::find_if(report["ops"].begin(), report["ops"].end(),
                                  [&](const nlohmann::json& row) { return row["op"] == name; });
  REQUIRE(found != report["ops"].end());
  return *found;
}

}  // namespace

TEST_CASE("roofline: arithmetic and bytes of a step, against the layers' sum and numbers on paper") {
  constexpr double kParameters = 33'371'472, kConvMacs = 40.697e9 - 512 * 400;  // r3d_18, 400 classes
  const auto report = roofline("--model r3d_18 --batch 2 --channel-multiple 1");
  CHECK(report["gflop_with_padding"].get<double>() ==
        doctest::Approx(report["gflop"].get<double>()).epsilon(1e-9));
  CHECK(op(report, "conv.forward")["gflop"].get<double>() ==
        doctest::Approx(2 * 2 * kConvMacs * 1e-9).epsilon(2e-5));
  // Weights and velocities, read and written, and gradients in f32; the working copy in bf16.
  CHECK(op(report, "sgd")["gbyte"].get<double>() == doctest::Approx(kParameters * 22e-9).epsilon(1e-6));
  // Channels that are no multiple of 8: none in r3d_18 but the clip's, which nobody need multiply as 8.
  const auto padded = roofline("--model r3d_18 --batch 2");
  CHECK(padded["gflop_with_padding"].get<double>() ==
        doctest::Approx(report["gflop"].get<double>()).epsilon(1e-9));
  // r2plus1d_18's stem: 1x7x7, 3 -> 45, padded to 48 on its way out and into 3x1x1, 45 -> 64 (three passes;
  // the clip gets no gradient). Then 230 -> 232, 460 -> 464, 921 -> 928, which are more: it is a lower bound.
  const double places = 2. * 16 * 56 * 56, stem = 3 * places * (2. * 49 * 3 + 3. * 64 * 3) * 2e-9;
  const auto wider = roofline("--model r2plus1d_18 --batch 2");
  const double more = wider["gflop_with_padding"].get<double>() - wider["gflop"].get<double>();
  CHECK(more > stem);
  CHECK(more < 0.02 * wider["gflop"].get<double>());
}

TEST_CASE("roofline: whichever is more, memory or arithmetic, and the gap of every op") {
  const std::string model = "--model mc3_18 --batch 1 --frames 8 --size 56 ";
  const auto memory = roofline(model + "--bandwidth 100 --tflops 1000000");
  CHECK(memory["seconds_at_least"].get<double>() ==
        doctest::Approx(memory["gbyte"].get<double>() / 100).epsilon(1e-9));
  const auto arithmetic = roofline(model + "--bandwidth 100000000 --tflops 1 --gap 10");
  int64_t runs = 0;
  for (const auto& row : arithmetic["ops"]) runs += row["runs"].get<int64_t>();
  CHECK(arithmetic["seconds_at_least"].get<double>() ==
        doctest::Approx(1e-3 * arithmetic["gflop_with_padding"].get<double>() +
                        1e-5 * static_cast<double>(runs))
            .epsilon(1e-4));
  CHECK(op(arithmetic, "conv.forward")["arithmetic_bound_fraction"] == 1.0);
  CHECK(op(arithmetic, "batch_norm.train")["arithmetic_bound_fraction"] == 0.0);
}

TEST_CASE("roofline: f32 has no speed of its own unless one is said") {
  const auto result = bench_roofline("--precision f32 --batch 1 --frames 4 --size 32");
  CHECK(result.code == 2);
  CHECK(result.says("--tflops"));
}
