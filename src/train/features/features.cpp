#include "train/features/features.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/safetensors.h"
#include "core/sha256.h"
#include "train/clip_buffer.h"
#include "train/features/feature_content.h"
#include "train/log/json_fields.h"

namespace laban {
namespace {

using Json = nlohmann::ordered_json;
constexpr const char* kFormat = "laban.features.2";
constexpr const char* kWithoutContents = "laban.features.1";

}  // namespace

std::string backbone_digest(const ParameterStore& store) {
  Sha256 sum;
  const auto add = [&](const std::string& name, const std::vector<double>& values) {
    if (name.starts_with("fc.")) return;
    const std::vector<float> narrow(values.begin(),
                                    values.end());  // exact: master weights are f32 wherever it matters
    sum.update(name);
    sum.update(narrow.data(), narrow.size() * sizeof(float));
  };
  for (const Parameter* p : store.list().parameters) add(p->name, store.read(store.weights(), *p));
  for (const Statistic* s : store.list().statistics) add(s->name, store.read(*s));
  return sum.hex();
}

std::optional<Features> extract_features(Network& network, Loader& loader, const Dataset& dataset,
                                         const std::function<bool(int64_t, int64_t)>& progress) {
  Features features;
  features.channels = network.feature_channels();
  features.backbone = backbone_digest(network.store());
  features.bad_files = loader.bad_files();
  ClipBuffer buffer(network.backend(), network.compute());
  ClipContents contents;
  std::vector<double> values;
  loader.start(/*epoch=*/0, /*index=*/0, /*one_epoch=*/true);
  const auto next = [&] {
    auto batch = loader.next();
    if (batch) buffer.begin(batch);
    return batch;
  };
  std::shared_ptr<const Batch> upcoming = next();
  while (const auto batch = std::move(upcoming)) {
    values.resize(batch->labels.size() * static_cast<size_t>(features.channels));
    network.features(buffer.take(), values, [&] { upcoming = next(); });
    features.values.insert(features.values.end(), values.begin(), values.end());
    for (const int item : batch->items) {
      const DatasetItem& clip = dataset.items[static_cast<size_t>(item)];
      features.names.push_back(clip.name);
      features.contents.push_back(contents.of(clip));
      features.labels.push_back(clip.label);
    }
    if (progress && !progress(static_cast<int64_t>(features.names.size()), loader.clips()))
      return std::nullopt;
  }
  return features;
}

void write_features(const std::filesystem::path& path, const Features& features) {
  const auto clips = static_cast<int64_t>(features.names.size());
  const std::vector<int64_t> labels(features.labels.begin(), features.labels.end());
  Json bad_files = Json::array();
  for (const BadFile& bad : features.bad_files) bad_files.push_back({bad.file, bad.reason});
  const std::vector<TensorToSave> tensors{
      {"features", ElementType::f32, {clips, features.channels}, features.values.data()},
      {"labels", ElementType::i64, {clips}, labels.data()}};
  const auto dump = [](const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  write_safetensors(path, tensors,
                    {{"format", kFormat},
                     {"version", LABAN_VERSION},
                     {"names", dump(Json(features.names))},
                     {"contents", dump(Json(features.contents))},
                     {"bad_files", dump(bad_files)},
                     {"config", to_toml(features.config)},
                     {"backbone", features.backbone}});
}

Features read_features(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  const auto& metadata = file.metadata();
  const auto text_of = [&](const char* key) {
    const auto found = metadata.find(key);
    if (found == metadata.end())
      throw FileError(path.string(), text("is not a file of features: it has no '", key, "'"),
                      "`laban features` writes such files.");
    return found->second;
  };
  if (text_of("format") == kWithoutContents)
    throw FileError(path.string(),
                    "was written by an older laban, which did not record the contents of the clips; they "
                    "might be from another dataset",
                    "Run `laban features` again.");
  if (text_of("format") != kFormat)
    throw FileError(path.string(),
                    text("has format '", text_of("format"), "', but features must have format ", kFormat),
                    "`laban features` writes such files.");
  file.verify_checksum();

  const auto damaged = [&](const char* key) -> FileError {
    return {path.string(), text("its '", key, "' cannot be read")};
  };
  Features features;
  features.backbone = text_of("backbone");
  try {
    apply_toml(features.config, text_of("config"), path.string() + " (config)");
  } catch (const UsageError& error) {
    throw FileError(
        path.string(),
        text("its config is not valid in this version of laban (", LABAN_VERSION, "): ", error.what()),
        text("It was written by laban ", text_of("version"), "."));
  }
  const auto texts = [&](const char* key) {
    const Json list = fields::parse(text_of(key));
    if (!list.is_array()) throw damaged(key);
    std::vector<std::string> items;
    for (const Json& item : list) {
      if (!item.is_string()) throw damaged(key);
      items.push_back(item.get<std::string>());
    }
    return items;
  };
  features.names = texts("names");
  features.contents = texts("contents");
  if (features.contents.size() != features.names.size()) throw damaged("contents");
  const Json bad_files = fields::parse(text_of("bad_files"));
  if (!bad_files.is_array()) throw damaged("bad_files");
  for (const Json& bad : bad_files) {
    if (!bad.is_array() || bad.size() != 2 || !bad[0].is_string() || !bad[1].is_string())
      throw damaged("bad_files");
    features.bad_files.push_back({bad[0].get<std::string>(), bad[1].get<std::string>()});
  }
  const auto found = file.entries().find("features");
  if (found == file.entries().end() || found->second.shape.size() != 2)
    throw FileError(path.string(), "has no matrix named 'features'");
  const auto clips = static_cast<int64_t>(features.names.size());
  features.channels = found->second.shape[1];
  const std::vector<double> values = file.doubles("features", std::vector<int64_t>{clips, features.channels});
  features.values.assign(values.begin(), values.end());
  for (const int64_t label : file.integers("labels", std::vector<int64_t>{clips}))
    features.labels.push_back(static_cast<int>(label));
  return features;
}

}  // namespace laban
