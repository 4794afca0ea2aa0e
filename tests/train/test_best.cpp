#include "train/best.h"

#include <doctest/doctest.h>

#include <vector>

#include "core/error.h"
#include "train/config/config.h"

using namespace laban;

TEST_CASE("epochs are judged by what the validation clips can bear") {
  const auto by = [](std::vector<int64_t> clips) { return best_by_for(clips); };
  CHECK(by({10, 9}) == BestBy::last);  // a handful: chance decides
  CHECK(best_by_for(std::vector<int64_t>{10, 9}, true) == BestBy::loss);
  CHECK(by({10, 10}) == BestBy::loss);
  CHECK(by({49, 50}) == BestBy::loss);
  CHECK(by({50, 50}) == BestBy::accuracy);
  CHECK(by({99, 50}) == BestBy::accuracy);
  CHECK(by({100, 50}) == BestBy::macro_f1);
  CHECK(by({300, 4}) == BestBy::loss);           // one clip of four is a quarter of a class
  CHECK(by({300, 0, 100}) == BestBy::macro_f1);  // a class without clips says nothing
  CHECK(by({120, 0, 100}) == BestBy::accuracy);
  CHECK(by({}) == BestBy::last);
}

TEST_CASE("patience needs a measure that can get worse") {
  Config config;
  config.train.best_by = BestBy::last;
  CHECK_NOTHROW(resolve(config));
  config.train.patience = 3;
  CHECK_THROWS_WITH_AS(resolve(config), doctest::Contains("train.best_by, which is last"), UsageError);
  config.train.best_by = BestBy::loss;
  CHECK_NOTHROW(resolve(config));
}

TEST_CASE("what the best epoch is the best by, in words") {
  CHECK(by_what(BestBy::macro_f1) == " by validation macro-F1");
  CHECK(by_what(BestBy::last) == ", the last");
  CHECK(by_what(BestBy::automatic).empty());
}

TEST_CASE("the better epoch, and ties") {
  const ValidationScore sure{.loss = 0.5, .accuracy = 0.7, .macro_f1 = 0.6},
      often{.loss = 0.6, .accuracy = 0.8, .macro_f1 = 0.5},
      tie{.loss = 0.4, .accuracy = 0.8, .macro_f1 = 0.5};
  CHECK(is_better(BestBy::loss, sure, often));
  CHECK(!is_better(BestBy::loss, sure, sure));
  CHECK(is_better(BestBy::accuracy, often, sure));
  CHECK(is_better(BestBy::macro_f1, sure, often));
  CHECK(is_better(BestBy::accuracy, tie, often));
  CHECK(is_better(BestBy::macro_f1, tie, often));
  CHECK(!is_better(BestBy::accuracy, often, tie));
  CHECK(is_better(BestBy::last, often, tie));
  CHECK(is_better(BestBy::last, tie, often));
}
