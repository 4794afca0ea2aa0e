// A whole run where fewer threads come than it asks for.
#include <doctest/doctest.h>
#include <sched.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "core/files.h"
#include "support/program.h"
#include "train/run_folder.h"
#include "train/train_fixture.h"

using namespace laban;
using test::laban_with;
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

class OneProcessor {
 public:
  OneProcessor() {
    REQUIRE(::sched_getaffinity(0, sizeof(before_), &before_) == 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    int processor = 0;
    while (!CPU_ISSET(processor, &before_)) ++processor;
    CPU_SET(processor, &one);
    REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
  }
  ~OneProcessor() { ::sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_;
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

TEST_CASE("a run of two threads is the same run where one comes, or says what is not") {
  const Bench bench;
  REQUIRE(bench.train("free", "2").code == 0);
  const RunFolder free = bench.run("free");
  const double norm = first_gradient_norm(free);
  REQUIRE(norm > 0);

  // One thread to compute two threads' work: stem gradients round differently, and a sentence says so.
  for (const char* limit : {"OMP_THREAD_LIMIT", "OMP_MAX_ACTIVE_LEVELS"}) {
    CAPTURE(limit);
    const Variable variable(limit, limit == std::string("OMP_THREAD_LIMIT") ? "1" : "0");
    const ProgramResult result = bench.train(limit, "2");
    REQUIRE_MESSAGE(result.code == 0, result.said);
    CHECK(result.says("OpenMP grants 1 of the 2 threads"));
    CHECK(std::abs(first_gradient_norm(bench.run(limit)) / norm - 1) < 1e-5);
  }

  // Both threads come, if on one processor: the same bits.
  {
    const Variable dynamic("OMP_DYNAMIC", "true"), threads("OMP_NUM_THREADS", "1");
    REQUIRE(bench.train("told", "2").code == 0);
  }
  {
    const OneProcessor mask;
    const ProgramResult result = bench.train("masked", "2");
    REQUIRE(result.code == 0);
    CHECK(result.says("2 threads share 1 processor"));
  }
  for (const char* name : {"told", "masked"}) {
    CAPTURE(name);
    CHECK(test::tensors_of(bench.run(name).last()) == test::tensors_of(free.last()));
    CHECK(test::timeless_rows(bench.run(name).metrics()) == test::timeless_rows(free.metrics()));
  }
}

TEST_CASE("a run resumed on fewer processors keeps its number of threads, and its bits") {
  const Bench bench;
  REQUIRE(bench.train("whole", "2", "2").code == 0);
  REQUIRE(bench.train("parts", "2", "1").code == 0);
  const auto resume = [&](const char* run) {
    return laban_with({"train", "--resume", bench.run(run).path.string(), "--epochs", "2"});
  };
  std::filesystem::copy(bench.run("parts").path, bench.run("limited").path);
  {
    const OneProcessor mask;
    const ProgramResult result = resume("parts");
    REQUIRE_MESSAGE(result.code == 0, result.said);
    CHECK(result.says("2 threads share 1 processor"));
  }
  CHECK(test::tensors_of(bench.run("whole").last()) == test::tensors_of(bench.run("parts").last()));

  const Variable limit("OMP_THREAD_LIMIT", "1");
  const ProgramResult result = resume("limited");
  REQUIRE_MESSAGE(result.code == 0, result.said);
  CHECK(result.says("OpenMP grants 1 of the 2 threads"));
}

TEST_CASE("threads that nobody chose: as many as the process may use; a thousand work as well") {
  const Bench bench;
  const auto noted = [&](const char* name) { return read_file(bench.run(name).config()); };
  {
    const OneProcessor mask;
    REQUIRE(bench.train("masked", "0").code == 0);
  }
  {
    const Variable limit("OMP_THREAD_LIMIT", "1");
    REQUIRE(bench.train("limited", "0").code == 0);
  }
  for (const char* name : {"masked", "limited"}) CHECK(noted(name).find("threads = 1") != std::string::npos);
  REQUIRE(bench.train("one", "1").code == 0);
  for (const char* name : {"masked", "limited"})
    CHECK(test::tensors_of(bench.run(name).last()) == test::tensors_of(bench.run("one").last()));

  const ProgramResult many = bench.train("many", "1000");
  REQUIRE_MESSAGE(many.code == 0, many.said);
  CHECK(many.says("1000 threads share"));
  CHECK(std::abs(first_gradient_norm(bench.run("many")) / first_gradient_norm(bench.run("one")) - 1) < 1e-4);
  CHECK(bench.train("none", "-1").code == 2);
}
