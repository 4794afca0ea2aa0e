// laban: the program. Parses the command line, runs one subcommand, and turns errors into sentences.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "cli/standard_streams.h"
#include "commands/commands.h"
#include "core/error.h"
#include "data/video/watch.h"

namespace {

/// OpenMP's threads spin while they wait, and so take the processor from decoding threads and from each other
/// wherever more threads run than there are cores: training on two busy cores then takes several times as
/// long. Its library reads the policy before main(), hence the program starts itself anew with it, unless
/// someone has chosen one.
void wait_without_spinning(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv("/proc/self/exe", argv);  // returns only where that fails, and then all works as well, only slower
}

int run(int argc, char** argv) {
  CLI::App app{"laban trains 3-D convolutional networks to classify video from frames alone."};
  app.name("laban");
  app.set_version_flag("--version", "laban " LABAN_VERSION);
  app.require_subcommand(1);
  using namespace laban::tools;
  for (const auto add : {add_describe, add_gradcheck, add_train, add_eval, add_predict, add_report, add_synth,
                         add_index, add_check, add_frames, add_sample, add_bench, add_cache, add_preview,
                         add_forward, add_export, add_features, add_settings})
    add(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
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
  wait_without_spinning(argv);
  return laban::tools::finish_output(run(argc, argv));
}
