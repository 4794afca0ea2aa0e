#include "command_line/completion.h"

#include <functional>

#include "command_line/help.h"
#include "core/error.h"
#include "core/text.h"

namespace laban::tools {
namespace {

/// Commands that do something, with the words that call them: {"bench", "load"}.
void each_leaf(const Command& command, std::vector<std::string>& words,
               const std::function<void(const Command&, const std::vector<std::string>&)>& visit) {
  for (const Command& sub : command.subcommands()) {
    if (sub.is_hidden()) continue;
    words.push_back(sub.name());
    if (sub.subcommands().empty())
      visit(sub, words);
    else
      each_leaf(sub, words, visit);
    words.pop_back();
  }
}

std::vector<std::string> names_of(const Command& command) {
  std::vector<std::string> names;
  for (const Command& sub : command.subcommands())
    if (!sub.is_hidden()) names.push_back(sub.name());
  return names;
}

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> flags;
  for (const Argument& argument : command.arguments())
    flags.insert(flags.end(), argument.flags().begin(), argument.flags().end());
  flags.emplace_back("--help");
  return flags;
}

// ---- bash --------------------------------------------------------------------------------------------

constexpr const char* kBashHead = R"(# bash completion for laban; made by `laban completion bash`.
# Load it with: source <(laban completion bash)

_laban_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$1"); }
_laban_folders() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$1"); }
_laban_words() { mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1"); }

_laban() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
  local first=2
  COMPREPLY=()
  # --flag=value comes as three words.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous=${COMP_WORDS[COMP_CWORD-2]}
  fi
)";

std::string bash_values(const Argument& argument) {
  if (!argument.words().empty()) return "_laban_words \"$current\" '" + join(argument.words(), " ") + "'";
  if (argument.path_kind() == PathKind::folder) return "_laban_folders \"$current\"";
  if (argument.path_kind() != PathKind::none) return "_laban_files \"$current\"";
  return ":";  // a number or a name that nobody can guess
}

std::string bash_positional(const Command& command) {
  for (const Argument& argument : command.arguments())
    if (!argument.positional().empty()) return bash_values(argument);
  return ":";
}

std::string bash(const Command& program) {
  std::string out = kBashHead;
  const std::string top = join(names_of(program), " ");
  out += "  if ((COMP_CWORD == 1)); then\n    _laban_words \"$current\" '" + top +
         " help --help --version'\n    return\n  fi\n";
  out +=
      "  if [[ $command == help ]]; then\n    if ((COMP_CWORD == 2)); then\n      _laban_words \"$current\" '" +
      top + "'\n      return\n    fi\n    command=${COMP_WORDS[2]} first=3\n  fi\n";
  out += "  case $command in\n";
  for (const Command& sub : program.subcommands())
    if (!sub.subcommands().empty())
      out += "  " + sub.name() +
             ")\n    if ((COMP_CWORD == first)); then\n      _laban_words \"$current\" '" +
             join(names_of(sub), " ") +
             "'\n      return\n    fi\n    command+=\" ${COMP_WORDS[first]}\"\n    ;;\n";
  out += "  esac\n  [[ ${COMP_WORDS[1]} == help ]] && return\n  case $command in\n";
  std::vector<std::string> words;
  each_leaf(program, words, [&](const Command& command, const std::vector<std::string>& path) {
    out += "  '" + join(path, " ") + "')\n    case $previous in\n";
    for (const Argument& argument : command.arguments()) {
      if (!argument.takes_value() || argument.flags().empty()) continue;
      out += "    " + join(argument.flags(), "|") + ")\n      " + bash_values(argument) + "\n";
      out += "      return\n      ;;\n";
    }
    out += "    esac\n    if [[ $current == -* ]]; then\n      _laban_words \"$current\" '" +
           join(flags_of(command), " ") + "'\n    else\n      " + bash_positional(command) +
           "\n    fi\n    ;;\n";
  });
  return out + "  esac\n}\ncomplete -F _laban laban\n";
}

// ---- zsh ---------------------------------------------------------------------------------------------

/// In single quotes, as part of a specification of _arguments.
std::string zsh_text(const std::string& plain) {
  std::string out;
  for (const char c : plain) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out;
}

std::string zsh_values(const Argument& argument) {
  const std::string name = text(":", zsh_text(argument.value_name()), ":");
  if (!argument.words().empty()) return name + "(" + join(argument.words(), " ") + ")";
  if (argument.path_kind() == PathKind::folder) return name + "_files -/";
  if (argument.path_kind() != PathKind::none) return name + "_files";
  return name;
}

std::string zsh_commands(const Command& command, const std::string& indent) {
  std::string out;
  for (const Command& sub : command.subcommands())
    if (!sub.is_hidden()) out += indent + "'" + sub.name() + ":" + zsh_text(sub.summary()) + "'\n";
  return out;
}

/// A function for each command: the flags, or the commands below it.
void zsh_function(const Command& command, const std::string& name, std::string& out) {
  if (!command.subcommands().empty()) {
    out += name + "() {\n  local -a commands=(\n" + zsh_commands(command, "    ");
    const bool is_program = command.full_name().find(' ') == std::string::npos;
    if (is_program) out += "    'help:print the help of a command'\n";
    out += "  )\n  if ((CURRENT == 2)); then\n    _describe command commands\n    return\n  fi\n";
    if (is_program)
      out +=
          "  if [[ $words[2] == help ]]; then\n    ((CURRENT == 3)) && _describe command commands\n    return\n"
          "  fi\n";
    out += "  local sub=$words[2]\n  shift words\n  ((CURRENT--))\n  case $sub in\n";
    for (const Command& sub : command.subcommands())
      if (!sub.is_hidden()) out += "  " + sub.name() + ") " + name + "_" + sub.name() + " ;;\n";
    out += "  esac\n}\n\n";
    for (const Command& sub : command.subcommands())
      if (!sub.is_hidden()) zsh_function(sub, name + "_" + sub.name(), out);
    return;
  }
  out += name + "() {\n  _arguments -S";
  for (const Argument& argument : command.arguments()) {
    for (const std::string& flag : argument.flags())
      out += " \\\n    '" + flag + "[" + zsh_text(argument.help()) + "]" +
             (argument.takes_value() ? zsh_values(argument) : "") + "'";
    if (!argument.positional().empty())
      out += std::string(" \\\n    '") + (argument.takes_many() ? "*" : ":") + zsh_values(argument) + "'";
  }
  out += " \\\n    '--help[print this command'\\''s help]'\n}\n\n";
}

std::string zsh(const Command& program) {
  std::string out =
      "#compdef laban\n# zsh completion for laban; made by `laban completion zsh`.\n"
      "# Save it as _laban in a folder of $fpath.\n\n";
  zsh_function(program, "_laban", out);
  // Autoloaded, the file is the function; sourced, it registers it.
  return out + "if [[ $funcstack[1] == _laban ]]; then\n  _laban \"$@\"\nelse\n  compdef _laban laban\nfi\n";
}

// ---- fish --------------------------------------------------------------------------------------------

std::string fish_quoted(const std::string& plain) {
  std::string out = "'";
  for (const char c : plain) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_values(const Argument& argument) {
  if (!argument.words().empty()) return " -x -a " + fish_quoted(join(argument.words(), " "));
  if (argument.path_kind() == PathKind::folder) return " -x -a '(__fish_complete_directories)'";
  if (argument.path_kind() != PathKind::none) return " -r -F";
  return " -x";
}

std::string fish(const Command& program) {
  std::string out =
      "# fish completion for laban; made by `laban completion fish`.\n"
      "# Save it as ~/.config/fish/completions/laban.fish\n\n"
      "# The words so far begin with these.\n"
      "function __laban_at\n  set -l words (commandline -opc)\n  test (count $words) -gt (count $argv); or return 1\n"
      "  for i in (seq (count $argv))\n    test $words[(math $i + 1)] = $argv[$i]; or return 1\n  end\nend\n"
      "# The words so far are these.\n"
      "function __laban_just\n  test (count (commandline -opc)) -eq (math (count $argv) + 1); and __laban_at "
      "$argv\nend\n\ncomplete -c laban -f\n";
  const auto commands = [&](const Command& parent, const std::string& condition) {
    for (const Command& sub : parent.subcommands())
      if (!sub.is_hidden())
        out += "complete -c laban -n '" + condition + "' -a " + sub.name() + " -d " +
               fish_quoted(sub.summary()) + "\n";
  };
  const auto nothing_yet = std::string("test (count (commandline -opc)) -eq 1");
  commands(program, nothing_yet);
  out += "complete -c laban -n '" + nothing_yet + "' -a help -d 'print the help of a command'\n";
  commands(program, "__laban_just help");
  for (const Command& sub : program.subcommands())
    if (!sub.is_hidden() && !sub.subcommands().empty()) commands(sub, "__laban_just " + sub.name());
  std::vector<std::string> words;
  each_leaf(program, words, [&](const Command& command, const std::vector<std::string>& path) {
    const std::string begin = "complete -c laban -n '__laban_at " + join(path, " ") + "'";
    for (const Argument& argument : command.arguments()) {
      if (!argument.positional().empty()) {
        if (!argument.words().empty())
          out += begin + " -a " + fish_quoted(join(argument.words(), " ")) + "\n";
        else if (argument.path_kind() != PathKind::none)
          out += begin +
                 (argument.path_kind() == PathKind::folder ? " -a '(__fish_complete_directories)'" : " -F") +
                 "\n";
      }
      for (const std::string& flag : argument.flags())
        out += begin + (flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1)) +
               (argument.takes_value() ? fish_values(argument) : "") + " -d " + fish_quoted(argument.help()) +
               "\n";
    }
  });
  return out;
}

}  // namespace

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> shells{"bash", "zsh", "fish"};
  return shells;
}

std::string completion(const Command& program, const std::string& shell) {
  return shell == "bash" ? bash(program) : shell == "zsh" ? zsh(program) : fish(program);
}

}  // namespace laban::tools
