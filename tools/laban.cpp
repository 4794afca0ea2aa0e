// laban: the program. Parses the command line, runs one subcommand, and turns errors into sentences.
#include <cstdio>
#include <exception>
#include <new>

#include "commands.h"
#include "core/error.h"

int main(int argc, char** argv) {
  CLI::App app{"laban trains 3-D convolutional networks to classify video from frames alone."};
  app.name("laban");
  app.set_version_flag("--version", "laban " LABAN_VERSION);
  app.require_subcommand(1);
  using namespace laban::tools;
  for (const auto add :
       {add_describe, add_gradcheck, add_train, add_eval, add_predict, add_report, add_synth, add_bench})
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
