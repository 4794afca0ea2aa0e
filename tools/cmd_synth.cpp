#include "commands.h"
namespace laban::tools {
void add_synth(CLI::App&) {}
}
