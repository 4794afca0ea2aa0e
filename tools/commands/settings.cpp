// laban settings: every setting with its default, as a TOML file or as the page of the documentation.
#include <cstdio>
#include <memory>

#include "commands/commands.h"
#include "train/config/config.h"

namespace laban::tools {

void add_settings(CLI::App& app) {
  auto markdown = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("settings", "print all settings with their defaults: a file for train --config");
  command->add_flag("--markdown", *markdown, "Markdown instead of TOML: docs/settings.md");
  command->callback(
      [markdown] { std::fputs((*markdown ? settings_markdown() : to_toml(Config{})).c_str(), stdout); });
}

}  // namespace laban::tools
