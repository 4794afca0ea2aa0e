// laban: the program. Parses the command line, runs one subcommand, and turns errors into sentences.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "cli/standard_streams.h"
#include "command_line/parse.h"
#include "commands/commands.h"
#include "core/error.h"
#include "data/video/watch.h"

namespace {

int run(int argc, char** argv) {
  using namespace laban::tools;
  Command program("laban", "trains 3-D convolutional networks that classify video");
  for (const auto add :
       {add_synth,  add_index,   add_check,   add_cache,     add_preview,  add_floor,      add_train,
        add_eval,   add_predict, add_report,  add_export,    add_features, add_settings,   add_describe,
        add_frames, add_sample,  add_forward, add_gradcheck, add_bench,    add_completion, add_man})
    add(program);
  program.example("laban synth clips --clips 60")
      .example("laban train clips --epochs 10")
      .example("laban eval --run runs/clips --split test");
  try {
    run_command_line(program, LABAN_VERSION, {argv + 1, argv + argc});
    return 0;
  } catch (const laban::UsageError& error) {
    std::fprintf(stderr, "laban: %s\n", error.what());
    return 2;
  } catch (const laban::Error& error) {
    std::fprintf(stderr, "laban: %s\n", error.what());
    return 1;
  } catch (const laban::Canceled&) {
    std::fprintf(stderr, "laban: stopped\n");
    return 1;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "laban: out of memory\n  A smaller --batch, --frames or --size needs less.\n");
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr,
                 "laban: internal error: %s\n  This is a defect in laban; please report it with the command "
                 "you ran.\n",
                 error.what());
    return 70;
  }
}

}  // namespace

int main(int argc, char** argv) {
  laban::tools::open_standard_streams();
  std::signal(SIGXFSZ,
              SIG_IGN);  // a file beyond the limit (ulimit -f) is an error with its name, not the end
  return laban::tools::finish_output(run(argc, argv));
}
