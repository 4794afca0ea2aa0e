// Commands that take weight files, run as a person or a script would.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
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
  /// A dataset of some of the synthetic classes.
  void make_dataset(const std::filesystem::path& data, const std::vector<std::string>& classes) const {
    const std::string all = data.string() + "_all";
    REQUIRE(laban_with("synth " + all + " --clips 40 --size 32x32").code == 0);
    std::filesystem::create_directories(data);
    for (const std::string& name : classes)
      std::filesystem::rename(std::filesystem::path(all) / name, data / name);
  }
  /// The same under other names, as b.safetensors.
  void write_weights(const std::map<std::string, std::string>& metadata,
                     const std::function<std::string(const std::string&)>& rename) {
    auto state = export_state(network_, ElementType::f32, KeyStyle::torchvision);
    for (ExportedTensor& tensor : state) tensor.name = rename(tensor.name);
    write_safetensors_state(path("b.safetensors"), state, metadata);
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

TEST_CASE("every command reads weights under a prefix and with another head, and says so") {
  Files files;
  const std::string data = files.path("dances"), plain = files.path("w.safetensors"),
                    wrapped = files.path("b.safetensors");
  files.make_dataset(data, {"ballet", "break", "flamenco", "foxtrot"});
  files.write_weights({}, [](std::string name) {
    return name.starts_with("fc.") ? "cls_head.fc_cls" + name.substr(2) : "backbone." + name;
  });
  REQUIRE(
      laban_with("export --weights " + plain + " --model r3d_tiny -o " + files.path("x.safetensors")).code ==
      0);
  const std::string of_data =
      " --model r3d_tiny --frames 4 --size 16 --index-cache off --threads 1 --workers 1";
  for (const std::string& command : std::vector<std::string>{
           "export -o " + files.path("y.safetensors") + " --model r3d_tiny", "predict " + data + of_data,
           "eval " + data + of_data, "features " + data + of_data + " -o " + files.path("f.safetensors"),
           std::string("describe"),
           "train " + data + of_data + " --epochs 1 --recipe none --no-floor -o " + files.path("run")}) {
    CAPTURE(command);
    const Result result = laban_with(command + " --weights " + wrapped);
    REQUIRE_MESSAGE(result.code == 0, result.said);
    CHECK(result.says("the prefix 'backbone.' of its names is left out"));
    CHECK(result.says("'cls_head.fc_cls' is read as the last layer"));
    if (command != "describe" && !command.starts_with("export")) {
      CHECK_MESSAGE(result.says("which clips"), result.said);
      CHECK(result.says("is not known; taken: "));
    }
  }
  CHECK(read_file(files.path("x.safetensors")) == read_file(files.path("y.safetensors")));
  const Result described = laban_with("describe --weights " + wrapped);
  CHECK(described.says("4 classes; fits --model r3d_tiny"));
  CHECK(described.says("r3d_tiny, 4 classes"));
  // Which model they are for is not written in them, but can be told.
  const Result unnamed = laban_with("eval " + data + " --weights " + wrapped);
  CHECK(unnamed.code == 2);
  CHECK(unnamed.says("It fits: --model r3d_tiny."));

  // Their classes have no names.
  const Result predicted = laban_with("predict " + data + of_data + " --weights " + plain);
  CHECK(predicted.says("does not name its 4 classes"));
  CHECK(laban_with("eval " + data + of_data + " --weights " + plain)
            .says("taken are the dataset's, in their order: ballet, break, flamenco, foxtrot"));
  const std::string three = files.path("three");
  files.make_dataset(three, {"ballet", "break", "flamenco"});
  const Result fewer = laban_with("eval " + three + of_data + " --weights " + plain);
  CHECK(fewer.code == 2);
  CHECK(fewer.says("does not name its 4 classes, and " + three + " has 3"));
  CHECK(!fewer.says("class 0"));
}

TEST_CASE("other people's models and things that are no weights are refused by name in every command") {
  Files files;
  const std::string plain = files.path("w.safetensors"), video = files.path("video.mp4");
  files.write_weights({}, [](const std::string& name) {
    return name == "stem.0.weight" ? std::string("s1.pathway0_stem.conv.weight")
           : name == "fc.weight"   ? std::string("s1.pathway1_stem.conv.weight")
                                   : "s2." + name;
  });
  write_file(video, std::string("\0\0\0\x18"
                                "ftypisom",
                                12) +
                        std::string(1000, 'x'));
  write_file(files.path("page.pth"), "<!DOCTYPE html><html></html>");
  for (const std::string& command : std::vector<std::string>{
           "export -o " + files.path("y.onnx"), "predict " + video, "eval " + files.path("."),
           "features " + files.path(".") + " -o " + files.path("f.safetensors"), std::string("describe")})
    for (const std::string model : {"", " --model r3d_18"}) {
      CAPTURE(command + model);
      const auto with = [&](const std::string& weights) {
        const Result result = laban_with(command + model + " --weights " + weights);
        CHECK(result.code == 1);
        return result;
      };
      CHECK(with(files.path("b.safetensors"))
                .says("is like SlowFast, as in PySlowFast (it has 's1.pathway1_stem"));
      CHECK(with(video).says("is not a safetensors or PyTorch file, but a video (MP4 or MOV)"));
      CHECK(with(files.path("page.pth")).says("but a page of HTML"));
    }
  CHECK(laban_with("predict " + video + " --checkpoint " + video).says("but a video (MP4 or MOV)"));
  CHECK(laban_with("train " + files.path(".") + " --weights " + video).says("but a video (MP4 or MOV)"));
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
