// laban describe and laban gradcheck, run as a person or a script would.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "support/program.h"

namespace {

using Result = laban::test::ProgramResult;
Result laban_with(const std::string& line) { return laban::test::laban_with(laban::test::words(line)); }

}  // namespace

TEST_CASE("describe prints the published totals") {
  const Result r3d = laban_with("describe r3d_18 --frames 16 --size 112");
  CHECK(r3d.code == 0);
  CHECK(r3d.says("parameters           33,371,472"));
  CHECK(r3d.says("40.697 GMAC"));
  CHECK(laban_with("describe mc3_18 --frames 16 --size 112").says("43.343 GMAC"));
  CHECK(laban_with("describe r2plus1d_18 --frames 16 --size 112 --batch 2").says("40.519 GMAC"));
  CHECK(laban_with("describe r2plus1d_18 --classes 10").says("31,305,255"));
  CHECK(laban_with("describe r2plus1d_34 --midplanes per-conv").says("63,697,175"));
  CHECK(laban_with("describe resnet3d_18 --shortcut A")
            .says("Hara et al.'s 3D-ResNets-PyTorch, resnet, depth 18, shortcut A"));
  CHECK(r3d.says("public definition    torchvision.models.video.r3d_18"));
}

TEST_CASE("clips beyond all counting are called too large") {
  for (const char* size : {"--size 1048576 --frames 1048576", "--size 262144 --frames 65536"}) {
    const Result result = laban_with(std::string("describe resnet3d_18 ") + size);
    CHECK(result.code == 1);
    CHECK(result.says("is too large"));
    CHECK(result.says("Use fewer frames"));
  }
}

TEST_CASE("describe --json says the same, layer by layer") {
  const Result result = laban_with("describe r2plus1d_18 --frames 16 --size 112 --batch 2 --json");
  REQUIRE(result.code == 0);
  const auto report = nlohmann::json::parse(result.out);
  CHECK(report["parameters"] == 31505325);
  CHECK(report["macs_per_clip"].get<double>() == doctest::Approx(40.519e9).epsilon(1e-4));
  int64_t parameters = 0, macs = 0, bytes = 0;
  for (const auto& layer : report["layers"]) {
    parameters += layer["parameters"].get<int64_t>();
    macs += layer["macs"].get<int64_t>();
    bytes += layer["activation_bytes"].get<int64_t>();
  }
  CHECK(parameters == report["parameters"]);
  CHECK(macs == 2 * report["macs_per_clip"].get<int64_t>());
  CHECK(bytes == report["activation_bytes"]);
  CHECK(report["layers"][0]["receptive_field"] == std::array<int, 3>{1, 7, 7});
  CHECK(report["layers"][0]["output"] == std::array<int, 5>{2, 45, 16, 56, 56});
  CHECK(report["planned_evaluation_bytes"] < report["planned_training_bytes"]);
  const auto half =
      nlohmann::json::parse(laban_with("describe r2plus1d_18 --batch 2 --precision bf16 --json").out);
  CHECK(2 * half["activation_bytes"].get<int64_t>() == report["activation_bytes"]);
}

TEST_CASE("describe and gradcheck refuse in words, with exit code 2") {
  const Result unknown = laban_with("describe r3d_19");
  CHECK(unknown.code == 2);
  CHECK(unknown.says("there is no model called \"r3d_19\""));
  CHECK(unknown.says("Available: r3d_18"));
  CHECK(laban_with("describe r3d_18 --frames 0").code == 2);
  CHECK(laban_with("describe r2plus1d_18 --midplanes both").code == 2);
  const Result layer = laban_with("gradcheck --layer conv9d");
  CHECK(layer.code == 2);
  CHECK(layer.says("Did you mean conv3d"));
}

TEST_CASE("gradcheck prints a row for each tensor") {
  const Result table = laban_with("gradcheck --layer conv3d");
  CHECK(table.code == 0);
  CHECK(table.says("conv.weight"));
  CHECK(table.says("All 12 gradients agree"));
  const Result json = laban_with("gradcheck --layer linear --json");
  REQUIRE(json.code == 0);
  const auto report = nlohmann::json::parse(json.out);
  CHECK(report["pass"] == true);
  REQUIRE(report["rows"].size() == 3);
  for (const auto& row : report["rows"]) CHECK(row["error"].get<double>() < 1e-8);
  CHECK(laban_with("gradcheck --layer conv2plus1d --backend cpu").code == 0);
  CHECK(laban_with("gradcheck --layer linear --device cpu --isa baseline --threads 2").code == 0);
  const Result isa = laban_with("gradcheck --layer linear --isa baseline");
  CHECK(isa.code == 2);
  CHECK(isa.says("--isa is for --device cpu"));
}
