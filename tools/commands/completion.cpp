// laban completion: a script that completes command lines in a shell.
#include <cstdio>
#include <memory>
#include <string>

#include "command_line/completion.h"
#include "commands/commands.h"

namespace laban::tools {
void add_completion(Command& program) {
  auto shell = std::make_shared<std::string>();
  Command& command =
      program.subcommand("completion", "print a script that completes command lines in a shell");
  command.add("SHELL", *shell, "shell").choices(completion_shells()).required();
  command.example("source <(laban completion bash)")
      .example("laban completion zsh > ~/.zfunc/_laban")
      .example("laban completion fish > ~/.config/fish/completions/laban.fish");
  command.action([shell, &program] { std::fputs(completion(program, *shell).c_str(), stdout); });
}

}  // namespace laban::tools
