// Epoch orders: balanced ones show every class equally often, and depend only on their arguments.
#include "data/load/epoch_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace laban;

namespace {

/// Classes of 1, 4 and 17 clips.
Dataset uneven() {
  Dataset dataset;
  dataset.classes = {"a", "b", "c"};
  for (int i = 0; i < 22; ++i) {
    DatasetItem item;
    item.label = i < 1 ? 0 : i < 5 ? 1 : 2;
    dataset.items.push_back(item);
  }
  return dataset;
}

std::vector<int> all(const Dataset& dataset) { return dataset.of(Split::train); }

}  // namespace

TEST_CASE("a shuffled order has every item once; an unshuffled one is the list") {
  const Dataset dataset = uneven();
  const std::vector<int> items = all(dataset);
  CHECK(epoch_order(dataset, items, {.seed = 1, .shuffle = false}, 3) == items);
  std::vector<int> order = epoch_order(dataset, items, {.seed = 1}, 3);
  CHECK(order != items);
  CHECK(order != epoch_order(dataset, items, {.seed = 1}, 4));
  CHECK(order != epoch_order(dataset, items, {.seed = 2}, 3));
  std::ranges::sort(order);
  CHECK(order == items);
}

TEST_CASE("a balanced order shows every class equally often, and a class's clips as evenly as can be") {
  const Dataset dataset = uneven();
  std::map<int, int> longer;  // how often each class had the place that is left over
  std::map<int, int> seen;
  for (int64_t epoch = 0; epoch < 30; ++epoch) {
    const OrderSettings settings{.seed = 5, .shuffle = true, .balance = true};
    const std::vector<int> order = epoch_order(dataset, all(dataset), settings, epoch);
    CHECK(order == epoch_order(dataset, all(dataset), settings, epoch));
    CHECK(order.size() == 22);
    std::map<int, int> of_class, of_item;
    for (const int item : order) {
      ++of_class[dataset.items[static_cast<size_t>(item)].label];
      ++of_item[item];
      ++seen[item];
    }
    for (const auto& [label, count] : of_class) {
      CHECK((count == 7 || count == 8));
      longer[label] += count == 8;
    }
    CHECK(of_item[0] >= 7);
    for (int item = 1; item < 5; ++item) CHECK((of_item[item] == 1 || of_item[item] == 2));
    for (int item = 5; item < 22; ++item) CHECK(of_item[item] <= 1);
  }
  CHECK(longer.size() == 3);
  for (const auto& [label, epochs] : longer) CHECK(epochs > 3);
  CHECK(seen.size() == 22);  // the large class's clips come in turn
}
