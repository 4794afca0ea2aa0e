#include "train/features/feature_source.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "train/features/feature_content.h"

namespace laban {

FeatureSource::FeatureSource(const Features& features, const Dataset& dataset, const std::vector<int>& items,
                             const Settings& settings)
    : features_(features), dataset_(dataset), settings_(settings), row_of_(dataset.items.size(), -1) {
  ClipContents contents;
  std::map<std::string, int64_t> rows;
  for (size_t row = 0; row < features.names.size(); ++row)
    rows[features.names[row]] = static_cast<int64_t>(row);
  for (const int item : items) {
    const DatasetItem& clip = dataset.items[static_cast<size_t>(item)];
    const auto row = rows.find(clip.name);
    if (row != rows.end()) {
      const std::string& then = features.contents[static_cast<size_t>(row->second)];
      if (const std::string now = contents.of(clip); now != then)
        throw Error(text("clip ", clip.name, " is not the one from which its features were made: that was ",
                         then, ", this is ", now),
                    "The features are from another dataset, or the clip has changed since; run `laban "
                    "features` on this one.");
      if (features.labels[static_cast<size_t>(row->second)] != clip.label)
        throw Error(text("clip ", clip.name, " has a different class than when its features were made"),
                    "Run `laban features` again.");
      row_of_[static_cast<size_t>(item)] = row->second;
      items_.push_back(item);
      continue;
    }
    // In a folder of pictures, the bad file is one of these.
    const auto bad = std::ranges::find_if(
        features.bad_files, [&](const BadFile& b) { return b.file.starts_with(clip.path.string()); });
    if (bad == features.bad_files.end())
      throw Error(text("there are no features for clip ", clip.name),
                  "The features are from another dataset; run `laban features` on this one.");
    bad_files_.push_back(*bad);
  }
}

int64_t FeatureSource::batches_per_epoch() const {
  return settings_.drop_last ? clips() / settings_.batch : (clips() + settings_.batch - 1) / settings_.batch;
}

void FeatureSource::start(int64_t epoch, int64_t index, bool one_epoch) {
  require(epoch >= 0 && index >= 0 && index <= batches_per_epoch(), "FeatureSource::start: no such position");
  epoch_ = epoch;
  index_ = index;
  one_epoch_ = one_epoch;
  order_.clear();
}

std::shared_ptr<const Batch> FeatureSource::next() {
  if (index_ >= batches_per_epoch()) {
    if (one_epoch_ || batches_per_epoch() == 0) return nullptr;
    ++epoch_;
    index_ = 0;
    order_.clear();
  }
  if (order_.empty()) order_ = epoch_order(dataset_, items_, settings_.order, epoch_);
  auto batch = std::make_shared<Batch>();
  batch->epoch = epoch_;
  batch->index = index_;
  const int64_t begin = index_++ * settings_.batch, end = std::min(clips(), begin + settings_.batch);
  batch->shape = Shape::matrix(end - begin, features_.channels);
  batch->items.assign(order_.begin() + begin, order_.begin() + end);
  batch->frame_indices.resize(batch->items.size());
  for (const int item : batch->items) {
    batch->labels.push_back(dataset_.items[static_cast<size_t>(item)].label);
    const auto row = features_.values.begin() + row_of_[static_cast<size_t>(item)] * features_.channels;
    batch->clips.insert(batch->clips.end(), row, row + features_.channels);
  }
  return batch;
}

}  // namespace laban
