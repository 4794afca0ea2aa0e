// Commands that take files of weights, run as a person or a script would.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/files.h"
#include "core/rng.h"
#include "core/safetensors.h"
#include "support/temporary_folder.h"
#include "weights/export.h"
#include "weights/made_files.h"
#include "weights/small_network.h"

using namespace laban;
using test::says;

namespace {

struct Result {
  int code = 0;
  std::string said;  // stdout and stderr
};

Result laban_with(const std::string& arguments) {
  const std::string command = std::string(LABAN_PROGRAM) + " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  Result result;
  std::array<char, 4096> buffer{};
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    result.said.append(buffer.data(), n);
  const int status = pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

/// A folder with the weights of an r3d_tiny of four classes, and two labelled clips.
class Files {
 public:
  Files() : network_(backend_, DType::f64, model_by_name("r3d_tiny", 4)) {
    test::make_used(network_, 3);
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
