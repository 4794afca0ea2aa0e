#include "data/load/epoch_order.h"

#include <map>

#include "core/error.h"
#include "core/rng.h"

namespace laban {
namespace {

/// As many as `items`, with the same number for every class that occurs.
std::vector<int> balanced(const Dataset& dataset, const std::vector<int>& items, Rng& rng) {
  std::map<int, std::vector<int>> by_label;
  for (const int item : items) by_label[dataset.items[static_cast<size_t>(item)].label].push_back(item);
  std::vector<std::vector<int>> classes;
  for (auto& [label, members] : by_label) classes.push_back(std::move(members));
  rng.shuffle(classes);  // decides which of them get one more
  std::vector<int> order;
  for (size_t k = 0; k < classes.size(); ++k) {
    std::vector<int>& members = classes[k];
    const size_t places = items.size() / classes.size() + (k < items.size() % classes.size());
    for (size_t place = 0; place < places; ++place) {
      if (place % members.size() == 0) rng.shuffle(members);  // the next round
      order.push_back(members[place % members.size()]);
    }
  }
  return order;
}

}  // namespace

std::vector<int> epoch_order(const Dataset& dataset, const std::vector<int>& items,
                             const OrderSettings& settings, int64_t epoch) {
  require(settings.shuffle || !settings.balance, "epoch_order: a balanced order must be shuffled");
  if (!settings.shuffle) return items;
  Rng rng(settings.seed, Purpose::shuffle, static_cast<uint64_t>(epoch));
  std::vector<int> order = settings.balance ? balanced(dataset, items, rng) : items;
  rng.shuffle(order);
  return order;
}

}  // namespace laban
