// laban: the program. Parses the command line, runs one subcommand, and turns errors into sentences.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "cli/printable.h"
#include "cli/standard_streams.h"
#include "command_line/parse.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/machine_error.h"
#include "data/video/watch.h"

namespace {

int internal_error(const std::exception& error) {
  std::fprintf(stderr,
               "laban: internal error: %s\n  This is a defect in laban; please report it with the command "
               "you ran.\n",
               error.what());
  return 70;
}

/// Says that memory ran out, and how much is in use and may be.
void tell_memory() {
  std::string memory;
  try {
    memory = laban::memory_in_use();
  } catch (const std::bad_alloc&) {  // then without the numbers
  }
  std::fprintf(stderr,
               "laban: out of memory%s%s\n  A smaller --batch, --frames or --size, and fewer --workers, need "
               "less; `laban describe MODEL` shows how much a model takes.\n",
               memory.empty() ? "" : ": ", memory.c_str());
}

int run(int argc, char** argv) {
  using namespace laban::tools;
  Command program("laban", "trains 3-D convolutional networks that classify video");
  for (const auto add : {add_synth,     add_index,    add_check,      add_cache,  add_preview, add_floor,
                         add_train,     add_eval,     add_predict,    add_report, add_export,  add_weights,
                         add_features,  add_settings, add_describe,   add_frames, add_sample,  add_forward,
                         add_gradcheck, add_bench,    add_completion, add_man})
    add(program);
  program.example("laban synth clips --clips 60")
      .example("laban train clips --epochs 10")
      .example("laban eval --run runs/clips --split test");
  try {
    run_command_line(program, LABAN_VERSION, {argv + 1, argv + argc});
    return 0;
  } catch (const laban::UsageError& error) {
    std::fprintf(stderr, "laban: %s\n", printable(error.what()).c_str());
    return 2;
  } catch (const laban::Error& error) {
    std::fprintf(stderr, "laban: %s\n", printable(error.what()).c_str());
    return 1;
  } catch (const laban::Canceled&) {
    std::fprintf(stderr, "laban: stopped\n");
    return 1;
  } catch (const std::bad_alloc&) {
    tell_memory();
    return 1;
  } catch (const std::system_error& error) {
    if (!laban::is_machine_fault(error.code().value())) return internal_error(error);
    std::fprintf(
        stderr,
        "laban: the machine refuses what is needed: %s\n  Raise its limits (ulimit -a), or use fewer "
        "--threads and --workers.\n",
        laban::name_of_fault(error.code().value()).c_str());
    return 1;
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

}  // namespace

int main(int argc, char** argv) {
  laban::tools::open_standard_streams();
  std::signal(SIGXFSZ,
              SIG_IGN);  // a file beyond the limit (ulimit -f) is an error with its name, not the end
  return laban::tools::finish_output(run(argc, argv));
}
