#include "train/loss_weights.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/error.h"

using namespace laban;
using doctest::Contains;

namespace {

const std::vector<std::string> kClasses{"waltz", "tango", "cha cha", "x=y"};

std::vector<double> weights(const std::string& setting, const std::vector<int64_t>& clips = {6, 3, 1, 2}) {
  return loss_weights(setting, kClasses, clips);
}

}  // namespace

TEST_CASE("weights of classes in the loss") {
  CHECK(weights("none").empty());
  CHECK(weights("").empty());
  CHECK(weights("balanced") == std::vector<double>{0.5, 1, 3, 1.5});  // 12 / (4 n)
  CHECK(weights("balanced", {6, 0, 2, 0}) == std::vector<double>{8.0 / 12, 0, 2, 0});
  CHECK(weights("tango=2,x=y=0.25,cha cha=0") == std::vector<double>{1, 2, 0, 0.25});
}

TEST_CASE("weights that cannot be are refused by a sentence") {
  for (const auto& [setting, sentence] : std::vector<std::pair<std::string, std::string>>{
           {"inverse", "'inverse' has no weight"},
           {"waltz=", "'waltz=' has no weight of at least 0"},
           {"waltz=-1", "at least 0"},
           {"waltz=nan", "at least 0"},
           {"waltz=inf", "at least 0"},
           {"waltz=1e999", "at least 0"},
           {"waltz=2x", "at least 0"},
           {"polka=2", "'polka=2' is no class; there are waltz, tango"},
           {"waltz=1,waltz=2", "for the second time"},
           {"waltz=1,,tango=2", "'' has no weight"},
           {"waltz=0,tango=0,cha cha=0,x=y=0", "no class with training clips a weight"}})
    CHECK_THROWS_WITH_AS(weights(setting), Contains(sentence.c_str()), UsageError);
  CHECK_THROWS_WITH_AS(weights("waltz=0,tango=0,x=y=0", {1, 1, 0, 1}),
                       Contains("no class with training clips"), UsageError);
}
