// laban settings: every setting with its default, as a TOML file or as the page of the documentation.
#include <cstdio>
#include <memory>

#include "commands/commands.h"
#include "train/config/config.h"

namespace laban::tools {

void add_settings(Command& program) {
  auto markdown = std::make_shared<bool>(false);
  Command& command = program.subcommand("settings", "print all settings with their defaults, as TOML");
  command.add("--markdown", *markdown, "print Markdown instead: docs/settings.md");
  command.example("laban settings > my.toml").example("laban train clips --config my.toml");
  command.action(
      [markdown] { std::fputs((*markdown ? settings_markdown() : to_toml(Config{})).c_str(), stdout); });
}

}  // namespace laban::tools
