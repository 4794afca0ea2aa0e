// A whole run where fewer threads come than it asks for.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/files.h"
#include "support/one_processor.h"
#include "support/program.h"
#include "train/run_folder.h"
#include "train/train_fixture.h"

using namespace laban;
using test::laban_with;
using test::OneProcessor;
using test::ProgramResult;
using test::TemporaryFolder;

namespace {

/// What the program is started with, for this object's lifetime.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* before = std::getenv(name_.c_str())) before_ = before;
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  ~Variable() { before_ ? ::setenv(name_.c_str(), before_->c_str(), 1) : ::unsetenv(name_.c_str()); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  std::string name_;
  std::optional<std::string> before_;
};

struct Bench {
  TemporaryFolder folder;
  Bench() { test::write_moving_blobs(folder.path() / "data", 3); }

  RunFolder run(const char* name) const { return {folder.path() / name}; }
  ProgramResult train(const char* name, const std::string& threads, const std::string& epochs = "1") const {
    return laban_with({"train",
                       "--data",
                       (folder.path() / "data").string(),
                       "--run",
                       run(name).path.string(),
                       "--frames",
                       "8",
                       "--size",
                       "16",
                       "--batch",
                       "3",
                       "--epochs",
                       epochs,
                       "--lr",
                       "0.01",
                       "--threads",
                       threads,
                       "--recipe",
                       "none",
                       "--no-floor"});
  }
};

double first_gradient_norm(const RunFolder& run) {
  std::istringstream rows(read_file(run.metrics()));
  for (std::string row; std::getline(rows, row);)
    if (const auto values = nlohmann::json::parse(row); values.contains("gradient_norm"))
      return values["gradient_norm"].get<double>();
  return NAN;
}

}  // namespace

TEST_CASE("a run is the same run on any number of threads and processors") {
  const Bench bench;
  REQUIRE(bench.train("one", "1").code == 0);
  REQUIRE(first_gradient_norm(bench.run("one")) > 0);
  REQUIRE(bench.train("two", "2").code == 0);
  REQUIRE(bench.train("seven", "7").code == 0);
  {
    const OneProcessor mask;
    const ProgramResult result = bench.train("masked", "2");
    REQUIRE(result.code == 0);
    CHECK(result.says("2 threads share 1 processor"));
  }
  const ProgramResult many = bench.train("many", "1000");
  REQUIRE_MESSAGE(many.code == 0, many.said);
  CHECK(many.says("1000 threads asked for, "));
  for (const char* name : {"two", "seven", "masked", "many"}) {
    CAPTURE(name);
    CHECK(test::tensors_of(bench.run(name).last()) == test::tensors_of(bench.run("one").last()));
    CHECK(test::timeless_rows(bench.run(name).metrics()) == test::timeless_rows(bench.run("one").metrics()));
  }
  CHECK(bench.train("none", "-1").code == 2);
}

TEST_CASE("a run resumed on fewer processors, or with another number of threads, keeps its bits") {
  const Bench bench;
  REQUIRE(bench.train("whole", "2", "2").code == 0);
  REQUIRE(bench.train("parts", "2", "1").code == 0);
  std::filesystem::copy(bench.run("parts").path, bench.run("other").path);
  {
    const OneProcessor mask;
    const ProgramResult result =
        laban_with({"train", "--resume", bench.run("parts").path.string(), "--epochs", "2"});
    REQUIRE_MESSAGE(result.code == 0, result.said);
    CHECK(result.says("2 threads share 1 processor"));
  }
  const ProgramResult result =
      laban_with({"train", "--resume", bench.run("other").path.string(), "--epochs", "2", "--threads", "3"});
  REQUIRE_MESSAGE(result.code == 0, result.said);
  for (const char* name : {"parts", "other"})
    CHECK(test::tensors_of(bench.run("whole").last()) == test::tensors_of(bench.run(name).last()));
}

TEST_CASE("threads that nobody chose: as many as the process may use") {
  const Bench bench;
  {
    const OneProcessor mask;
    REQUIRE(bench.train("masked", "0").code == 0);
  }
  CHECK(read_file(bench.run("masked").config()).find("threads = 1") != std::string::npos);
}
