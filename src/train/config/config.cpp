#include "train/config/config.h"

#include "models/families.h"

namespace laban {
namespace {

/// Does index_cache name a file?
bool is_file(const std::string& index_cache) {
  return index_cache != "auto" && index_cache != "user" && index_cache != "off";
}

}  // namespace

void forget_files_to_write(Config& config) {
  if (is_file(config.data.index_cache)) config.data.index_cache = Config::Data().index_cache;
}

LoaderSettings loader_settings(const Config& config, SampleMode mode) {
  const bool training = mode == SampleMode::train;
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
  const std::string& index_cache = config.data.index_cache;
  loader.keep_index = index_cache != "off";
  loader.index_beside = index_cache != "user";
  if (is_file(index_cache)) loader.index_file = index_cache;
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
