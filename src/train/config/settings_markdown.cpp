// docs/settings.md.
#include "core/error.h"
#include "core/text.h"
#include "train/config/config.h"

namespace laban {
namespace {

/// A cell of a table: what Markdown would take for markup is escaped.
std::string cell(const std::string& content) {
  std::string out;
  for (const char c : content) {
    if (c == '|' || c == '<' || c == '*') out += '\\';
    out += c;
  }
  return out;
}

std::string code(const std::string& content) { return content.empty() ? "" : "`" + content + "`"; }

/// When the setting may be given besides `laban train`.
std::string also(Roles roles) {
  std::string out;
  const auto add = [&](bool holds, const char* what) {
    if (holds) append(out, what);
  };
  add(roles.any(Role::resume), "resume");
  add(roles.any(Role::inference | Role::dataset), "eval");
  add(!roles.any(Role::inference) && roles.any(Role::network | Role::sampling | Role::picture),
      "eval --weights");
  return out;
}

}  // namespace

std::string settings_markdown() {
  Config config;
  std::string out =
      "# Settings\n"
      "\n"
      "<!-- Generated: `laban settings --markdown > docs/settings.md`. -->\n"
      "\n"
      "Every setting is both a key in the TOML file given to `laban train --config` and a flag; flags take\n"
      "precedence. `laban settings` prints a file with all of them. Switches are given as `--nesterov` and\n"
      "`--no-nesterov`, lists as `--mean 0.4,0.5,0.6`.\n"
      "\n"
      "*Also* lists the other commands that take a setting: *resume*: `train --resume`; *eval*: `eval`,\n"
      "`features` and `predict` (which reads no dataset), wherever the network comes from;\n"
      "*eval --weights*: the same, but only with a file of weights, since a checkpoint has its own.\n";
  std::string section;
  for (const Setting& setting : settings(config)) {
    if (setting.section != section) {
      section = setting.section;
      out += "\n## [" + section +
             "]\n\n| key | flag | default | values | meaning | also |\n|---|---|---|---|---|---|\n";
    }
    out +=
        text("| ", code(setting.key), " | ", code("--" + setting.flag), " | ", code(setting.default_text()),
             " | ", cell(setting.range()), " | ", cell(setting.help), " | ", also(setting.roles), " |\n");
  }
  return out;
}

}  // namespace laban
