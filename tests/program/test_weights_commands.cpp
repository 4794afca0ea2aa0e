// Commands that take weight files, run as a person or a script would.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <string>

#include "core/files.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "support/program.h"
#include "support/temporary_folder.h"
#include "train/config/config.h"
#include "weights/export.h"
#include "weights/made_files.h"
#include "weights/small_network.h"

using namespace laban;
using test::says;

namespace {

using Result = test::ProgramResult;
Result laban_with(const std::string& line) { return test::laban_with(test::words(line)); }

/// A folder with the weights of an r3d_tiny of four classes, and two labeled clips.
class Files {
 public:
  Files() : network_(backend_, DType::f64, model_by_name("r3d_tiny", 4)) {
    test::make_used(network_, 3);
    // Means about 0, so that what comes out depends on all that lies below.
    for (const Statistic* s : network_.store().list().statistics)
      if (s->name.ends_with("running_mean"))
        network_.store().write(*s, std::vector<double>(static_cast<size_t>(s->shape.count())));
    write_weights({});
    Rng rng(1, Purpose::test);
    std::vector<float> pixels(size_t{2} * 3 * 4 * 16 * 16);
    for (float& p : pixels) p = static_cast<float>(rng.normal());
    const std::array<int64_t, 2> labels{1, 3};
    write_safetensors(path("clips.safetensors"),
                      std::vector<TensorToSave>{{"clips", ElementType::f32, {2, 3, 4, 16, 16}, pixels.data()},
                                                {"labels", ElementType::i64, {2}, labels.data()}},
                      {});
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void write_weights(const std::map<std::string, std::string>& metadata) {
    write_safetensors_state(path("w.safetensors"),
                            export_state(network_, ElementType::f32, KeyStyle::torchvision), metadata);
  }
  Result forward(const std::string& flags, const std::string& output = "y.safetensors") const {
    return laban_with("forward --threads 1 --weights " + path("w.safetensors") + " --input " +
                      path("clips.safetensors") + " --output " + path(output) + " " + flags);
  }
  std::vector<double> tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    return SafetensorsFile(path("y.safetensors")).doubles(name, shape);
  }

 private:
  test::TemporaryFolder folder_;
  ReferenceBackend backend_;
  Network network_;
};

}  // namespace

TEST_CASE("forward's loss does not depend on whether gradients are asked for") {
  const Files files;
  const auto loss = [&](const std::string& flags) {
    const Result result = files.forward("--model r3d_tiny " + flags);
    REQUIRE_MESSAGE(result.code == 0, result.said);
    return files.tensor("loss", {}).front();
  };
  const double plain = loss(""), smooth = loss("--label-smoothing 0.3");
  CHECK(plain == loss("--gradients"));
  CHECK(smooth == loss("--label-smoothing 0.3 --gradients"));
  // By the definition: 0.7 of the class's loss, 0.3 of the mean over all classes.
  const std::vector<double> logits = files.tensor("logits", {2, 4});
  double want = 0;
  for (size_t n = 0; n < 2; ++n) {
    double sum = 0, mean = 0;
    for (size_t k = 0; k < 4; ++k) sum += std::exp(logits[4 * n + k]);
    for (size_t k = 0; k < 4; ++k) mean += (std::log(sum) - logits[4 * n + k]) / 4;
    want += (0.7 * (std::log(sum) - logits[4 * n + (n == 0 ? 1 : 3)]) + 0.3 * mean) / 2;
  }
  CHECK(smooth == doctest::Approx(want).epsilon(1e-5));
}

TEST_CASE("what laban noted beside weights is the default, and a flag overrules it") {
  Files files;
  const auto logits = [&](const std::string& flags) {
    const Result result = files.forward(flags);
    REQUIRE_MESSAGE(result.code == 0, result.said);
    return files.tensor("logits", {2, 4});
  };
  const auto plain = logits("--model r3d_tiny"), other = logits("--model r3d_tiny --norm-eps 0.5");
  REQUIRE(plain != other);
  std::map<std::string, std::string> notes{
      {"model", "r3d_tiny"}, {"midplanes", "torchvision"}, {"shortcut", "B"}, {"norm_eps", "0.5"}};
  files.write_weights(notes);
  CHECK(logits("") == other);
  CHECK(says(files.forward("").said, "w.safetensors: model r3d_tiny, norm-eps 0.5"));
  CHECK(logits("--norm-eps 1e-5") == plain);

  // What laban exports, it notes: weights in, weights out, and again.
  const Result exported = laban_with("export --weights " + files.path("w.safetensors") +
                                     " --norm-eps 0.25 --output " + files.path("x.safetensors"));
  CHECK_MESSAGE(exported.code == 0, exported.said);
  const auto written = SafetensorsFile(files.path("x.safetensors")).metadata();
  CHECK(written.at("model") == "r3d_tiny");
  CHECK(written.at("norm_eps") == "0.25");
  CHECK(!written.contains("size"));  // nobody has said how large its clips are
  notes["size"] = "64";
  notes["mean"] = "[0.1,0.2,0.3]";  // as JSON, too
  files.write_weights(notes);
  REQUIRE(laban_with("export --weights " + files.path("w.safetensors") + " --output " +
                     files.path("x.safetensors"))
              .code == 0);
  const auto again = SafetensorsFile(files.path("x.safetensors")).metadata();
  CHECK(again.at("size") == "64");
  CHECK(again.at("mean") == "0.1,0.2,0.3");

  for (const auto& [key, wrong] : {std::pair("norm_eps", "much"), std::pair("norm_eps", "-1"),
                                   std::pair("model", "bert"), std::pair("shortcut", "")}) {
    CAPTURE(std::string(key));
    auto changed = notes;
    changed[key] = wrong;
    files.write_weights(changed);
    const Result refused = files.forward("");
    CHECK(refused.code == 1);
    CHECK(says(refused.said, "w.safetensors: its metadata cannot be: --"));
    CHECK(logits("--model r3d_tiny --shortcut B --norm-eps 0.5") == other);
  }
  // Other programs' notes are not laban's.
  files.write_weights({{"model", "bert"}, {"size", "large"}, {"format", "pt"}});
  CHECK(logits("--model r3d_tiny") == plain);
}

TEST_CASE("a checkpoint's config is taken like notes, and one that cannot be read is not") {
  Files files;
  Config config;
  config.model.name = "r3d_tiny";
  config.model.options.norm_eps = 0.5;
  files.write_weights({{"format", "laban.checkpoint.1"}, {"config", to_toml(config)}});
  const Result taken = files.forward("");
  CHECK_MESSAGE(taken.code == 0, taken.said);
  CHECK(says(taken.said, "model r3d_tiny, norm-eps 0.5"));
  files.write_weights({{"format", "laban.checkpoint.9"}, {"config", "[future]\nx = 1\n"}});
  const Result left = files.forward("--model r3d_tiny");
  CHECK_MESSAGE(left.code == 0, left.said);
  CHECK(says(left.said, "is not valid in this version of laban"));
}

TEST_CASE("forward leaves its input and its weights as they are") {
  const Files files;
  for (const char* name : {"clips.safetensors", "w.safetensors"}) {
    const std::string before = read_file(files.path(name));
    const Result result = files.forward("--model r3d_tiny", std::string("./") + name);
    CHECK(result.code != 0);
    CHECK(says(result.said, "is the file that --"));
    CHECK(read_file(files.path(name)) == before);
  }
}

TEST_CASE("forward refuses pixels that the precision cannot hold") {
  const Files files;
  const std::vector<double> pixels(size_t{3} * 16 * 16, 1e39);
  write_safetensors(files.path("clips.safetensors"),
                    std::vector<TensorToSave>{{"clips", ElementType::f64, {1, 3, 1, 16, 16}, pixels.data()}},
                    {});
  CHECK(says(files.forward("--model r3d_tiny").said,
             "tensor 'clips' holds 1e+39, which --precision f32 cannot"));
}
