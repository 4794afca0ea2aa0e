// Clips for the contact sheets, from the data module's loader.
#include <algorithm>
#include <memory>

#include "core/error.h"
#include "train/report/clips.h"

namespace laban::report {

ClipSource dataset_clips(Dataset dataset, LoaderSettings settings) {
  settings.mode = SampleMode::test;
  settings.batch = 1;
  settings.shuffle = false;
  settings.drop_last = false;
  settings.workers = 1;
  settings.queue = 1;
  settings.on_bad_file = OnBadFile::stop;
  // A loader keeps a reference to its dataset, hence the copy that the function owns.
  return [data = std::make_shared<const Dataset>(std::move(dataset)), settings](const std::string& file) {
    const auto item = std::find_if(data->items.begin(), data->items.end(),
                                   [&](const DatasetItem& i) { return i.name == file; });
    if (item == data->items.end()) throw FileError(file, "is not in " + data->root.string() + " anymore");
    Loader loader(*data, {static_cast<int>(item - data->items.begin())}, settings);
    loader.start(0, 0, /*one_epoch=*/true);
    const auto batch = loader.next();
    if (!batch) throw FileError(file, "gave no clip");
    ClipPictures clip;
    for (int64_t t = 0; t < batch->shape.t; ++t)
      clip.frames.push_back({static_cast<int>(batch->shape.w), static_cast<int>(batch->shape.h),
                             to_rgb(*batch, 0, static_cast<int>(t), settings.transform)});
    clip.numbers = batch->frame_indices.at(0);
    return clip;
  };
}

}  // namespace laban::report
