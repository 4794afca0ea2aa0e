// Batches of features instead of clips, in the order in which Loader would deliver the clips themselves.
#pragma once

#include <vector>

#include "data/load/batch_source.h"
#include "data/load/epoch_order.h"
#include "train/features/features.h"

namespace laban {

class FeatureSource : public BatchSource {
 public:
  struct Settings {
    int64_t batch = 8;
    OrderSettings order = {};
    bool drop_last = true;
  };

  /// `items` of the dataset, without those that could not be read when the features were made. `features` and
  /// `dataset` must outlive it. Throws Error if a clip has no features, or if its contents or label have
  /// changed; FileError if it cannot be read.
  FeatureSource(const Features& features, const Dataset& dataset, const std::vector<int>& items,
                const Settings& settings);

  int64_t batches_per_epoch() const override;
  int64_t clips() const override { return static_cast<int64_t>(items_.size()); }
  void start(int64_t epoch, int64_t index, bool one_epoch) override;
  std::shared_ptr<const Batch> next() override;
  double seconds_waited() const override { return 0; }
  std::vector<BadFile> bad_files() const override { return bad_files_; }

 private:
  const Features& features_;
  const Dataset& dataset_;
  Settings settings_;
  std::vector<int> items_;
  std::vector<int64_t> row_of_;  // by the item's position in the dataset; -1: none
  std::vector<BadFile> bad_files_;
  std::vector<int> order_;
  int64_t epoch_ = 0, index_ = 0;
  bool one_epoch_ = false;
};

}  // namespace laban
