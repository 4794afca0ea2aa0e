// Public files of weights: how they are recognized, and what must not be taken for one.
#include "weights/public_weights.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "models/builder.h"
#include "models/families.h"
#include "support/temporary_folder.h"
#include "train/config/config.h"
#include "weights/export.h"
#include "weights/key_style.h"
#include "weights/made_files.h"

using namespace laban;
using test::says;

namespace {

/// A file like a published one, all zeros and with holes where they are: names and shapes alone.
std::filesystem::path hollow(const std::filesystem::path& path, const std::string& model, int64_t classes,
                             const ModelOptions& options = {}) {
  ModelSpec spec = model_by_name(model, classes);
  spec.options = options;
  const KeyStyle style = public_key_style(spec);
  ParameterList list;
  const auto layers = build_layers(spec);
  layers->collect(list);
  nlohmann::json header;
  int64_t at = 0;
  const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
    int64_t bytes = 4;
    for (const int64_t extent : shape) bytes *= extent;
    header[from_own_key(name, style)] = {
        {"dtype", "F32"}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  };
  for (const Parameter* p : list.parameters) add(p->name, torch_shape(*p));
  for (const Statistic* s : list.statistics) add(s->name, {s->shape.c});
  const std::string text = header.dump();
  std::ofstream(path, std::ios::binary) << test::bytes_of<uint64_t>(text.size()) << text;
  std::filesystem::resize_file(path, 8 + text.size() + static_cast<size_t>(at));
  return path;
}

struct Answer {
  std::string name, evidence, doubt;
};
Answer ask(const std::filesystem::path& file) {
  Answer answer;
  if (const auto known = recognize(StateDict::read(file), answer.doubt))
    answer.name = known->weights->name, answer.evidence = known->evidence;
  return answer;
}

}  // namespace

TEST_CASE("every public file has a name of its own, a model and clips") {
  for (const PublicWeights& weights : public_weights()) {
    CAPTURE(weights.name);
    CHECK(public_weights_named(weights.name) == &weights);
    CHECK(model_by_name(weights.model, weights.classes).classes == weights.classes);
    CHECK(weights.sha256.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(weights.address.starts_with("https://"));
    CHECK(weights.clips.size() >= 4);
  }
  CHECK(!public_weights_named("torchvision/r3d_19"));
}

TEST_CASE("without a published SHA-256 a name and tensors that fit are the evidence, and neither alone") {
  const test::TemporaryFolder folder;
  const Answer known = ask(hollow(folder.path() / "r3d18_K_200ep.pth", "resnet3d_18", 700));
  CHECK(known.name == "hara/r3d18_K_200ep");
  CHECK(says(known.evidence, "its name, as published, and its tensors"));
  CHECK(known.doubt.empty());
  ModelOptions subsample;
  subsample.shortcut = ShortcutKind::subsample;
  CHECK(ask(hollow(folder.path() / "resnet-18-kinetics.pth", "resnet3d_18", 400, subsample)).name ==
        "hara/resnet-18-kinetics");

  const Answer unnamed = ask(hollow(folder.path() / "mine.pth", "resnet3d_18", 700));
  CHECK(unnamed.name.empty());
  CHECK(unnamed.doubt.empty());
  const Answer other = ask(hollow(folder.path() / "r3d18_KM_200ep.pth", "resnet3d_18", 10));
  CHECK(other.name.empty());
  CHECK(says(other.doubt, "is called r3d18_KM_200ep.pth but is not hara/r3d18_KM_200ep"));
  CHECK(says(other.doubt, "do not fit resnet3d_18 with 1039 classes"));
}

TEST_CASE("a file that is called as torchvision's and has another SHA-256 is told, and not taken for it") {
  const test::TemporaryFolder folder;
  const Answer answer = ask(hollow(folder.path() / "mc3_18-a90a0ba3.pth", "mc3_18", 400));
  CHECK(answer.name.empty());
  CHECK(says(answer.doubt, "its SHA-256 begins with "));
  CHECK(says(answer.doubt, "not a90a0ba3"));
  const Answer tiny = ask(hollow(folder.path() / "r3d_18-b3b3357e.pth", "r3d_tiny", 4));
  CHECK(says(tiny.doubt, "do not fit r3d_18 with 400 classes"));
}

TEST_CASE("torchvision's own files are known by their SHA-256, whatever they are called") {
  const char* folder = std::getenv("LABAN_WEIGHTS");
  int tried = 0;
  for (const PublicWeights& weights : public_weights()) {
    const std::filesystem::path file = folder ? std::filesystem::path(folder) / weights.file : "";
    if (!folder || weights.sha256.empty() || !std::filesystem::exists(file)) continue;
    ++tried;
    const test::TemporaryFolder other;
    std::filesystem::create_symlink(std::filesystem::absolute(file), other.path() / "x.pth");
    CHECK(ask(other.path() / "x.pth").name == weights.name);
    CHECK(sha256_of(file).starts_with(weights.sha256));
  }
  if (tried == 0) MESSAGE("skipped: none of torchvision's files is in $LABAN_WEIGHTS");
}
