// The command line as a new user meets it: help, wrong flags, missing values, two ways of saying the same.
#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <sstream>

#include "core/files.h"
#include "core/text.h"
#include "data/made_clips.h"
#include "program/help_text.h"
#include "support/program.h"

using namespace laban;
using test::laban_with;
using Result = test::ProgramResult;
namespace fs = std::filesystem;

namespace {

Result laban_line(const std::string& line) { return laban_with(test::words(line)); }

/// A wrong command line: exit code 2, and on stderr these words and none of a library's.
void refused(const std::string& line, const std::string& sentence) {
  CAPTURE(line);
  const Result result = laban_line(line);
  CHECK(result.code == 2);
  CHECK_MESSAGE(result.said.find(sentence) != std::string::npos, result.said);
  CHECK(result.said.starts_with("laban: "));
  CHECK(result.out.empty());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// Two classes of videos, 16 in all.
fs::path make_dataset(const fs::path& root) {
  for (int i = 0; i < 16; ++i)
    test::make_video(root / (i % 2 ? "tango" : "waltz") / (std::to_string(i) + ".mp4"),
                     {.width = 40, .height = 32, .frames = 12, .first = i});
  return root;
}

std::vector<std::string> quick_train(const fs::path& data, const fs::path& run) {
  return {"train",     data.string(), "-o",       run.string(), "--epochs",  "1",         "--frames",
          "4",         "--size",      "16",       "--batch",    "2",         "--threads", "1",
          "--workers", "1",           "--recipe", "none",       "--no-floor"};
}

}  // namespace

TEST_CASE("laban alone prints its help and succeeds, as do help, -h and --help") {
  const Result alone = laban_with({});
  CHECK(alone.code == 0);
  CHECK(alone.said.empty());
  CHECK(alone.says("Usage: laban COMMAND"));
  for (const char* line : {"help", "-h", "--help", "help --help"}) {
    CAPTURE(line);
    CHECK(laban_line(line).out == alone.out);
  }
  const Result version = laban_line("--version");
  CHECK(version.code == 0);
  CHECK(std::regex_match(version.out, std::regex("laban \\d+\\.\\d+\\.\\d+\n")));
  CHECK(laban_line("-v").out == version.out);
  CHECK(laban_line("-V").out == version.out);
  CHECK(laban_line("bench").out == test::help_of("bench"));
  // A disk that is full is no success.
  CHECK(test::wait_for(test::start_program({"help"}, "/dev/full", "/dev/null")) == 1);
}

TEST_CASE("help of every command: complete, and readable in 80 columns") {
  for (const std::string& command : test::all_commands()) {
    CAPTURE(command);
    const std::string help = test::help_of(command);
    // Whatever else stands there, and wherever.
    CHECK(laban_line(command + " --help").out == help);
    const bool group = command == "bench" || command == "weights";
    if (!command.empty() && !group) CHECK(laban_line(command + " --no-such-flag -h").out == help);
    for (const std::string& line : lines_of(help)) CHECK_MESSAGE(characters(line) <= 80, line);
    for (const char* raw : {"{", "}", "[[", "[\"", "INT", "FLOAT", " UINT", "REQUIRED", "[]"})
      CHECK_MESSAGE(help.find(raw) == std::string::npos, raw);
    CHECK(help.find("Usage: laban") != std::string::npos);
    if (group) continue;
    // Every flag of an example is a flag of its command.
    const size_t examples = help.find("\nExamples:\n");
    REQUIRE(examples != std::string::npos);
    const std::string known = help.substr(0, examples);
    for (const std::string& line : lines_of(help.substr(examples))) {
      if (command.empty() || !line.starts_with("  laban " + command + " ")) continue;
      const std::regex flag(" (--?[a-z][a-z-]*)");
      for (auto at = std::sregex_iterator(line.begin(), line.end(), flag); at != std::sregex_iterator(); ++at)
        CHECK_MESSAGE(known.find((*at)[1].str()) != std::string::npos, line);
    }
  }
  const std::string train = test::help_of("train");
  CHECK(std::regex_search(train, std::regex("--frames N +frames per clip \\(1 to 4096, default 16\\)")));
  CHECK(std::regex_search(train, std::regex("--\\[no-\\]balance ")));
  CHECK(train.find("Settings [clip]:") != std::string::npos);
}

TEST_CASE("a wrong command or flag gets the nearest that there is") {
  refused("trian", "unknown command 'trian'\n  Did you mean train? Available: ");
  refused("trian clips --epochs 3", "Did you mean train?");
  refused("help trian", "Did you mean train?");
  refused("bench stepp", "unknown command 'stepp' of laban bench\n  Did you mean step?");
  refused("zzzzzzzz", "unknown command 'zzzzzzzz'\n  Available: ");
  refused("--verison", "unknown flag --verison\n  Did you mean --version?");
  refused("train --epoch 3", "unknown flag --epoch of laban train\n  Did you mean --epochs?");
  refused("train --epoch=3", "Did you mean --epochs?");
  refused("eval --view 3", "Did you mean --views?");
  refused("bench step --predict 3", "laban help bench step lists the flags");
  refused("check x -q", "unknown flag -q of laban check");
  refused("train --sampler desne clips", "--sampler is 'desne', but must be one of: tsn");
  refused("eval --split tset",
          "--split is 'tset', but must be one of: train, val, test, all\n  Did you mean test?");
}

TEST_CASE("what a flag needs is said: value, kind, range, company") {
  refused("sample --frames", "--frames needs a value");
  refused("sample --frames --seed 3", "--frames needs a value");
  refused("cache clips -o", "-o needs a value");
  refused("sample --frames many", "--frames: 'many' is not a whole number");
  refused("sample --frames 2.5", "--frames: '2.5' is not a whole number");
  refused("sample --frames 5 --seed -1", "--seed: '-1' is not a whole number of at least 0");
  refused("sample --frames 99999999999999999999", "is not a whole number");
  refused("check x --show -1", "--show is -1, but must lie between 0 and 1000000");
  refused("sample --frames 5 --stride x", "--stride: 'x' is not a number");
  refused("sample --frames 5 --stride nan", "--stride: 'nan' is not a number");
  refused("bench roofline --bandwidth 0", "--bandwidth is 0, but must lie between 0.001 and 1e+09");
  refused("check",
          "laban check: DATA is missing: dataset folder, or a list of clips\n  Usage: laban check DATA");
  refused("cache clips", "laban cache: --output DIR is missing");
  refused("forward --input x -o y", "laban forward: --weights FILE is missing");
  refused("frames a.mp4 b.mp4", "laban frames: unexpected argument 'b.mp4'");
  refused("gradcheck x", "laban gradcheck: unexpected argument 'x'");
  refused("sample --frames 5 --json", "unknown flag --json");
  refused("check x --json=1", "--json takes no value");
  refused("bench step --steps 3 --seconds 2", "--steps and --seconds exclude each other");
  refused("bench step --graph --no-graph", "--graph and --no-graph are both given");
  refused("train --index-cache off --packet-cache auto",
          "--index-cache is 'off', but --packet-cache is 'auto'; they are the same setting");
  refused("sample --frames 5 --frames 6", "--frames is given twice: '5' and '6'");
  refused("describe", "laban describe: MODEL is missing\n  Available: r3d_18");
  refused("export --run r -o net.txt", "the name's ending says what to write");
  refused("predict x.mp4 --run r -o out.txt", "the extension says what to write");
}

TEST_CASE("values may be written in several ways") {
  const std::string wanted = laban_line("sample --frames 100 --segments 4 --mode test").out;
  CHECK(laban_line("sample --frames=100 --segments=4 --mode=test").out == wanted);
  CHECK(laban_line("sample --mode test --frames 100 --frames 100 --segments 4").out == wanted);
  CHECK(laban_line("sample --frames 5 --segments 1 --mode test --start -7").out == "[-5]\n");
  const test::Folder folder("values");
  const std::string file = (folder.path() / "-odd --name").string();
  for (const std::vector<std::string>& line :
       {std::vector<std::string>{"frames", file}, {"frames", "--", file}, {"frames", "--json", "--", file}})
    CHECK(laban_with(line).says("there is no such file"));
  CHECK(laban_with({"frames", "-x.mp4"}).says("unknown flag -x"));
  CHECK(laban_with({"frames", "--", "-x.mp4"}).says("-x.mp4: there is no such file"));
  // Attached to a short flag, after =, as a word of its own.
  const fs::path data = make_dataset(folder.path() / "data");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-o" + (folder.path() / "1.csv").string()},
        {"--output=" + (folder.path() / "2.csv").string()},
        {"-o=" + (folder.path() / "3.csv").string()}}) {
    std::vector<std::string> line{"index", data.string()};
    line.insert(line.end(), words.begin(), words.end());
    CHECK(laban_with(line).code == 0);
  }
  for (const char* name : {"1.csv", "2.csv", "3.csv"}) CHECK(fs::exists(folder.path() / name));
}

TEST_CASE("the dataset is given the same way to every command that takes one") {
  const test::Folder folder("data_flag");
  const std::string none = (folder.path() / "none").string(), other = (folder.path() / "other").string();
  const std::string out = (folder.path() / "out").string();
  for (const std::vector<std::string>& command : {std::vector<std::string>{"train"},
                                                  {"index"},
                                                  {"check"},
                                                  {"cache", "-o", out},
                                                  {"preview", "-o", out},
                                                  {"bench", "load"}}) {
    CAPTURE(join(command, " "));
    auto positional = command, flag = command, both = command, twice = command;
    positional.push_back(none);
    flag.insert(flag.end(), {"--data", none});
    both.insert(both.end(), {none, "--data", none});
    twice.insert(twice.end(), {none, "--data", other});
    const Result wanted = laban_with(positional);
    CHECK(wanted.code == 1);
    CHECK(wanted.said.find(none) != std::string::npos);
    CHECK(laban_with(flag).said == wanted.said);
    CHECK(laban_with(both).said == wanted.said);
    const Result contradiction = laban_with(twice);
    CHECK(contradiction.code == 2);
    CHECK(contradiction.says("DATA is '" + none + "', but --data is '" + other + "'"));
  }
  for (const char* command : {"eval", "features"}) {
    CAPTURE(command);
    const std::string help = test::help_of(command);
    CHECK(help.find("[DATA]") != std::string::npos);
    CHECK(help.find("--data DATA") != std::string::npos);
  }
  // Where something is written, -o and --output say where; where a network computes, --device says on what.
  for (const char* command : {"train", "eval", "predict", "features", "forward", "export", "index", "cache",
                              "preview", "report", "synth"})
    CHECK_MESSAGE(std::regex_search(test::help_of(command), std::regex("-o, --output")), command);
  for (const char* command :
       {"train", "eval", "predict", "features", "forward", "gradcheck", "bench step", "bench ops"})
    CHECK_MESSAGE(test::help_of(command).find("--device NAME") != std::string::npos, command);
  CHECK(laban_line("gradcheck --layer linear --backend cpu").out ==
        laban_line("gradcheck --layer linear --device cpu").out);
}

TEST_CASE("the device is chosen and said, and the run keeps what was chosen") {
  const test::Folder folder("device");
  const fs::path data = make_dataset(folder.path() / "my dances"), run = folder.path() / "the run";
  const Result trained = laban_with(quick_train(data, run));
  REQUIRE_MESSAGE(trained.code == 0, trained.said);
  const std::regex said("device: (cpu|cuda) \\([^\n]+\\)\n");
  std::smatch found;
  REQUIRE(std::regex_search(trained.said, found, said));
  const std::string device = found[1];
  CHECK(read_file(run / "config.toml").find("device = \"" + device + "\"") != std::string::npos);
  CHECK(read_file(run / "last.safetensors").find("device = \\\"" + device + "\\\"") != std::string::npos);
  // Chosen already: nothing to say.
  const Result evaluated = laban_with({"eval", "--run", run.string()});
  CHECK(evaluated.code == 0);
  CHECK_FALSE(std::regex_search(evaluated.said, said));
  auto explicitly = quick_train(data, folder.path() / "other");
  explicitly.insert(explicitly.end(), {"--device", "cpu"});
  const Result plain = laban_with(explicitly);
  CHECK(plain.code == 0);
  CHECK(plain.said.find("device:") == std::string::npos);
  refused("bench step --precision f64", "--precision f64 needs --device reference");
  refused("bench step --isa avx3", "auto, baseline, avx2");
#if defined(__x86_64__)
  refused("bench step --device cpu --isa neon", "this machine lacks kernels for neon");
#else
  refused("bench step --device cpu --isa avx2", "this machine lacks kernels for avx2");
#endif
  refused("bench step --precision f64 --device cpu", "f64, which cpu does not offer");
  if (device == "cpu") refused("bench step --precision tf32", "--precision tf32 needs a GPU: ");
  refused("bench step --precision tf32 --device cpu", "tf32");

  // The closing hint can be pasted into a shell, and measures the clips kept for it.
  CHECK_MESSAGE(trained.says("next: laban eval --run '" + run.string() + "' --data '" + data.string() +
                             "' --split test"),
                trained.out);
}

TEST_CASE("predict: folders of videos; results as CSV and JSON; what is no checkpoint") {
  const test::Folder folder("predict");
  const fs::path data = make_dataset(folder.path() / "data"), run = folder.path() / "run";
  REQUIRE(laban_with(quick_train(data, run)).code == 0);
  const std::string csv = (folder.path() / "p.csv").string(), document = (folder.path() / "p.json").string();
  const Result all = laban_with({"predict", data.string(), "--run", run.string(), "-o", csv, "--top", "2"});
  CHECK_MESSAGE(all.code == 0, all.said);
  CHECK(lines_of(all.out).size() == 16);
  const auto rows = lines_of(read_file(csv));
  REQUIRE(rows.size() == 1 + 2 * 16);
  CHECK(rows[0] == "file,rank,class,probability");
  CHECK(std::regex_match(rows[1], std::regex(".*/tango/1\\.mp4,1,(tango|waltz),0?\\.?\\d+.*")));
  const Result json = laban_with({"predict", (data / "tango").string(), (data / "waltz/0.mp4").string(),
                                  "--run", run.string(), "--output", document, "--json"});
  CHECK(json.code == 0);
  CHECK(json.out == read_file(document));
  CHECK(json.says("waltz/0.mp4"));
  fs::create_directories(folder.path() / "empty/within");
  const Result empty = laban_with({"predict", (folder.path() / "empty").string(), "--run", run.string()});
  CHECK(empty.code == 1);
  CHECK(empty.says("there are no videos or pictures in this folder"));

  for (const char* flag : {"--checkpoint", "--weights"}) {
    CAPTURE(flag);
    const Result video = laban_with({"eval", flag, (data / "waltz/0.mp4").string(), "--model", "r3d_tiny"});
    CHECK(video.code != 0);
    if (std::string(flag) == "--weights") CHECK(video.says("0.mp4: is not a safetensors or PyTorch file"));
  }
  CHECK(laban_with({"eval", "--checkpoint", (data / "waltz/0.mp4").string()})
            .says("0.mp4: is not a safetensors or PyTorch file"));
}

TEST_CASE("progress on a terminal of 80 columns: speed and the time left are not cut off") {
  const test::Folder folder("progress");
  const fs::path data = make_dataset(folder.path() / "data");
  auto arguments = quick_train(data, folder.path() / "run");
  arguments[5] = "4";  // epochs
  for (const int columns : {80, 60, 200}) {
    CAPTURE(columns);
    fs::remove_all(folder.path() / "run");
    const std::string screen = test::laban_on_terminal(arguments, static_cast<unsigned short>(columns));
    size_t bars = 0;
    std::string line;
    for (const char c : screen + '\r') {
      if (c != '\r' && c != '\n') {
        line += c;
        continue;
      }
      line = std::regex_replace(line, std::regex("\x1b\\[K"), "");
      if (line.find("clips/s") != std::string::npos) {
        ++bars;
        CHECK_MESSAGE(characters(line) < static_cast<size_t>(columns), line);
        // How much time is left the first steps do not tell yet.
        const bool early = std::regex_search(line, std::regex(" [1-9]/20 "));
        if (!early) CHECK_MESSAGE(std::regex_search(line, std::regex("\\d+:\\d\\d( left)?$")), line);
        CHECK(line.find("loss ") != std::string::npos);
        if (columns >= 80) CHECK_MESSAGE(line.find("wait ") != std::string::npos, line);
        const bool bar = line.find("█") != std::string::npos || line.find("░") != std::string::npos;
        if (columns == 60) CHECK_MESSAGE(!bar, line);
        if (columns == 200) CHECK_MESSAGE(bar, line);
      }
      line.clear();
    }
    CHECK(bars > 0);
  }
}
