// The time that a bar says is left.
#include "cli/time_left.h"

#include <doctest/doctest.h>

#include <csignal>

#include "core/files.h"
#include "data/made_clips.h"
#include "support/program.h"

using namespace laban;
using tools::TimeLeft;

TEST_CASE("the time left is told after enough steps, and not by the first, which plans") {
  TimeLeft left(100);
  CHECK_FALSE(left.seconds());
  left.note(0, 3);
  left.note(1, 20);  // slow
  CHECK_FALSE(left.seconds());
  for (int step = 2; step <= 5; ++step) {
    left.note(step, 20 + 0.5 * (step - 1));
    CHECK_FALSE(left.seconds());
  }
  left.note(6, 22.5);
  REQUIRE(left.seconds());
  CHECK(*left.seconds() == doctest::Approx(47));
  left.note(100, 69.5);
  CHECK(*left.seconds() == 0);
}

TEST_CASE("slow steps are told of after ten seconds") {
  TimeLeft left(11);
  left.note(1, 30);
  left.note(2, 39);
  CHECK_FALSE(left.seconds());
  left.note(3, 48);
  CHECK(*left.seconds() == doctest::Approx(72));
}

TEST_CASE("work that is taken up in the middle is judged by what is done now") {
  TimeLeft left(1000);
  left.note(900, 1);
  left.note(910, 21);
  CHECK(*left.seconds() == doctest::Approx(180));
}

TEST_CASE("a run that is out of proportion to its clips is told what would fit") {
  const test::Folder folder("absurd");
  for (int i = 0; i < 6; ++i)
    test::make_video(folder.path() / "data" / (i % 2 ? "a" : "b") / ("clip" + std::to_string(i) + ".mp4"),
                     {.width = 64, .height = 48, .frames = 20, .first = i});
  const std::filesystem::path said = folder.path() / "said";
  const pid_t process = test::start_program(
      {"train", (folder.path() / "data").string(), "--run", (folder.path() / "run").string(), "--recipe",
       "none", "--no-floor", "--epochs", "5000000", "--frames", "4", "--size", "32", "--batch", "1",
       "--threads", "1", "--workers", "1"},
      folder.path() / "out", said);
  const auto text = [&] { return std::filesystem::exists(said) ? read_file(said) : std::string(); };
  CHECK_MESSAGE(
      test::wait_until([&] { return text().find("note: at this speed the run takes") != std::string::npos; }),
      text());
  ::kill(process, SIGTERM);
  test::wait_for(process);
  CHECK(text().find("without --recipe none, laban chooses what fits into --minutes") != std::string::npos);
}
