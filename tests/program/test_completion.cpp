// Completion in shells and manual pages, as the shells and groff take them.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "program/help_text.h"
#include "support/program.h"
#include "support/temporary_folder.h"

using namespace laban;
using test::laban_with;
namespace fs = std::filesystem;

namespace {

bool is_installed(const char* program) {
  return std::system(text("command -v ", program, " >/dev/null 2>&1").c_str()) == 0;
}

/// What bash offers where the cursor stands behind the last of `words`, in a folder of its own.
class Bash {
 public:
  Bash() {
    write_file(folder_.path() / "completion", laban_with({"completion", "bash"}).out);
    write_file(folder_.path() / "a clip.mp4", "");
    write_file(folder_.path() / "notes.txt", "");
    fs::create_directory(folder_.path() / "some folder");
  }
  std::set<std::string> offers(const std::vector<std::string>& words) const {
    const test::TemporaryFolder out;
    const fs::path offered = out.path() / "offered";
    std::string script = text("set -u; cd ", shell_word(folder_.path().string()),
                              "; source ./completion || exit 1; COMP_WORDS=(laban");
    for (const std::string& word : words) script += text(" ", shell_word(word));
    script += text("); COMP_CWORD=", words.size(), "; _laban; printf '%s\\n' \"${COMPREPLY[@]}\" >",
                   shell_word(offered.string()));
    REQUIRE(std::system(text("bash -c ", shell_word(script)).c_str()) == 0);
    std::istringstream lines(read_file(offered));
    std::set<std::string> found;
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) found.insert(line);
    return found;
  }

 private:
  test::TemporaryFolder folder_;
};

using Set = std::set<std::string>;

}  // namespace

TEST_CASE("bash offers commands, flags, choices, files and folders") {
  if (!is_installed("bash")) {
    std::printf("SKIPPED, completion in bash: it is not installed\n");
    return;
  }
  const Bash bash;
  CHECK(bash.offers({"tr"}) == Set{"train"});
  CHECK(bash.offers({""}).size() > 15);
  CHECK(bash.offers({""}).contains("help"));
  CHECK_FALSE(bash.offers({""}).contains("man"));
  CHECK(bash.offers({"help", "ev"}) == Set{"eval"});
  CHECK(bash.offers({"help", "bench", "lo"}) == Set{"load"});
  CHECK(bash.offers({"bench", ""}) == Set{"convs", "ladder", "load", "ops", "roofline", "step"});
  CHECK(bash.offers({"bench", "load", "--ha"}) == Set{"--hash"});
  CHECK(bash.offers({"train", "--epo"}) == Set{"--epochs"});
  CHECK(bash.offers({"train", "--no-bal"}) == Set{"--no-balance"});
  CHECK(bash.offers({"train", "--sampler", "d"}) == Set{"dense"});
  CHECK(bash.offers({"train", "--sampler", "=", "d"}) == Set{"dense"});  // as bash splits --sampler=d
  CHECK(bash.offers({"train", "--sampler", "="}).size() == 3);
  CHECK(bash.offers({"eval", "--split", ""}) == Set{"all", "test", "train", "val"});
  CHECK(bash.offers({"train", "--epochs", ""}).empty());
  CHECK(bash.offers({"train", "--config", ""}) ==
        Set{"a clip.mp4", "completion", "notes.txt", "some folder"});
  CHECK(bash.offers({"train", "--resume", ""}) == Set{"some folder"});
  CHECK(bash.offers({"check", "a"}) == Set{"a clip.mp4"});
  CHECK(bash.offers({"completion", "z"}) == Set{"zsh"});
}

TEST_CASE("bash: the script knows every command") {
  if (!is_installed("bash")) return;  // said above
  const std::string script = laban_with({"completion", "bash"}).out;
  for (const std::string& command : test::all_commands()) {
    if (command.empty() || command == "bench" || command == "weights") continue;  // groups
    CAPTURE(command);
    CHECK(script.find(text("  '", command, "')\n")) != std::string::npos);
  }
}

TEST_CASE("scripts for zsh and fish are read by these shells") {
  const test::TemporaryFolder folder;
  for (const char* shell : {"zsh", "fish"}) {
    const auto script = laban_with({"completion", shell});
    CHECK(script.code == 0);
    CHECK(script.says("--epochs") != (shell == std::string("fish")));  // which has "-l epochs"
    CHECK(script.says("uniform-k"));
    if (!is_installed(shell)) {
      std::printf("SKIPPED, syntax of the completion for %s: it is not installed\n", shell);
      continue;
    }
    const fs::path file = folder.path() / shell;
    write_file(file, script.out);
    CHECK(std::system(text(shell, " -n ", shell_word(file.string())).c_str()) == 0);
  }
  const auto none = laban_with({"completion", "tcsh"});
  CHECK(none.code == 2);
  CHECK(none.says("SHELL is 'tcsh', but must be one of: bash, zsh, fish"));
}

TEST_CASE("manual pages: one for each command, without warnings of groff") {
  const test::TemporaryFolder folder;
  REQUIRE(laban_with({"man", folder.path().string()}).code == 0);
  std::set<std::string> wanted, found;
  for (const std::string& command : test::all_commands()) {
    std::string name = "laban";
    for (const std::string& word : test::words(command)) name += text("-", word);
    wanted.insert(name + ".1");
  }
  for (const auto& entry : fs::directory_iterator(folder.path()))
    found.insert(entry.path().filename().string());
  CHECK(found == wanted);
  const std::string train = read_file(folder.path() / "laban-train.1");
  CHECK(train.starts_with(".TH LABAN\\-TRAIN 1 "));
  for (const char* part :
       {".SH NAME\nlaban\\-train \\- ", ".SH SYNOPSIS\n", ".SH EXAMPLES\n", ".B \\-\\-epochs N\n"})
    CHECK_MESSAGE(train.find(part) != std::string::npos, part);
  if (!is_installed("groff")) {
    std::printf("SKIPPED, groff's opinion of the manual pages: it is not installed\n");
    return;
  }
  for (const std::string& page : wanted) {
    CAPTURE(page);
    const fs::path warnings = folder.path() / "warnings";
    const std::string line =
        text("groff -man -Tutf8 -ww -rLL=80n ", shell_word((folder.path() / page).string()), " >/dev/null 2>",
             shell_word(warnings.string()));
    CHECK(std::system(line.c_str()) == 0);
    CHECK(read_file(warnings) == "");
  }
}
