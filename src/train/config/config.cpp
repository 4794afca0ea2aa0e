#include "train/config/config.h"

#include "models/families.h"

namespace laban {

LoaderSettings loader_settings(const Config& config, SampleMode mode) {
  const bool training = mode == SampleMode::train, automatic = config.data.index_cache == "auto";
  LoaderSettings loader;
  loader.sampler = config.clip.sampler;
  loader.transform = config.clip.transform;
  loader.mode = mode;
  loader.batch = config.train.batch;
  loader.shuffle = loader.drop_last = training;
  loader.balance = training && config.train.balance;
  loader.workers = config.data.workers;
  loader.seed = config.train.seed;
  loader.single_frame = config.clip.single_frame;
  loader.on_bad_file = config.data.on_bad_file;
  loader.keep_index = config.data.index_cache != "off";
  if (loader.keep_index && !automatic) loader.index_file = config.data.index_cache;
  return loader;
}

FreezeSettings freeze_settings(const Config& config) {
  FreezeSettings settings = config.finetune.freeze;
  if (!config.finetune.features.empty()) settings.layers.push_back("backbone");
  return settings;
}

DatasetSettings dataset_settings(const Config& config) {
  DatasetSettings settings = config.data.dataset;
  settings.keep_missing = config.data.on_bad_file == OnBadFile::exclude;
  return settings;
}

ModelSpec model_spec(const Config& config, int64_t classes) {
  ModelSpec spec = model_by_name(config.model.name, classes);
  spec.options = config.model.options;
  return spec;
}

DType compute_type(const Config& config) {
  return config.machine.precision == Precision::f64    ? DType::f64
         : config.machine.precision == Precision::bf16 ? DType::bf16
                                                       : DType::f32;
}

}  // namespace laban
