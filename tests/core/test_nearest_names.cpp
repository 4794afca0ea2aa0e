#include <doctest/doctest.h>

#include "core/nearest_names.h"

using namespace laban;

TEST_CASE("nearest names: by edit distance, few, and none where all are far") {
  CHECK(nearest_names("momentun", {"lr", "momentum", "eps"}) == std::vector<std::string>{"momentum"});
  CHECK(nearest_names("beta3", {"beta1", "beta2", "lr"}) == std::vector<std::string>{"beta1", "beta2"});
  CHECK(nearest_names("check", {"checkpoint-every", "checksum"}).size() == 2);  // beginnings
  CHECK(nearest_names("trian", {"eval", "train", "frames"}).front() == "train");
  CHECK(nearest_names("zzzzzz", {"beta1", "momentum"}).empty());
  CHECK(nearest_names("kitten", {"sitting", "kitte", "mitten"}).front() == "kitte");
}

TEST_CASE("advice: the likely names first, then what there is") {
  CHECK(did_you_mean("trian", {"eval", "train"}) == "Did you mean train? Available: eval, train.");
  CHECK(did_you_mean("beta3", {"beta1", "beta2", "lr"}) ==
        "Did you mean beta1 or beta2? Available: beta1, beta2, lr.");
  CHECK(did_you_mean("zzzzzz", {"eval", "train"}) == "Available: eval, train.");
  std::vector<std::string> many{"epochs"};
  for (int i = 0; i < 60; ++i) many.push_back("setting" + std::to_string(i));
  CHECK(did_you_mean("epoch", many) == "Did you mean epochs?");
}
