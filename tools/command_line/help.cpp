#include "command_line/help.h"

#include <algorithm>

#include "core/text.h"

namespace laban::tools {
namespace {

constexpr size_t kColumns = 80, kWidestSpelling = 24;

/// `words` in lines of at most `kColumns`, all but the first indented; the first begins at column `at`.
std::string wrapped(std::string_view words, size_t at, size_t indent) {
  std::string out;
  bool first = true;
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    const std::string_view word = words.substr(0, end);
    words.remove_prefix(std::min(end + 1, words.size()));
    if (!first && at + 1 + characters(word) > kColumns) {
      out += '\n' + std::string(indent, ' ');
      at = indent;
    } else if (!first) {
      out += ' ';
      ++at;
    }
    out += word;
    at += characters(word);
    first = false;
  }
  return out;
}

struct Row {
  std::string term, text;
};

std::string table(const std::vector<Row>& rows) {
  size_t column = 0;
  for (const Row& row : rows)
    if (characters(row.term) <= kWidestSpelling) column = std::max(column, characters(row.term));
  column += 4;  // two before, two between
  std::string out;
  for (const Row& row : rows) {
    out += "  " + row.term;
    if (characters(row.term) + 4 > column)
      out += '\n' + std::string(column, ' ');
    else
      out += std::string(column - 2 - characters(row.term), ' ');
    out += wrapped(row.text, column, column) + '\n';
  }
  return out;
}

}  // namespace

std::string usage(const Command& command) {
  if (!command.subcommands().empty()) return command.full_name() + " COMMAND [options]";
  std::string line = command.full_name(), required;
  bool options = false;
  for (const Argument& argument : command.arguments()) {
    if (argument.positional().empty()) {
      if (argument.is_required())
        required += " " + argument.flags().front() + " " + argument.value_name();
      else
        options = true;
      continue;
    }
    const std::string name = argument.positional() + (argument.takes_many() ? "..." : "");
    line += argument.is_required() ? " " + name : " [" + name + "]";
  }
  return line + required + (options ? " [options]" : "");
}

std::vector<ArgumentGroup> argument_groups(const Command& command) {
  std::vector<ArgumentGroup> groups;
  const auto put = [&](const std::string& heading, const Argument& argument) {
    auto group = std::ranges::find(groups, heading, &ArgumentGroup::heading);
    if (group == groups.end()) group = groups.insert(group, {heading, {}});
    group->arguments.push_back(&argument);
  };
  for (const Argument& argument : command.arguments())
    if (!argument.positional().empty()) put("Arguments", argument);
  for (const Argument& argument : command.arguments())
    if (argument.positional().empty() && argument.group().empty()) put("Options", argument);
  for (const Argument& argument : command.arguments())
    if (argument.positional().empty() && !argument.group().empty()) put(argument.group(), argument);
  return groups;
}

std::string spelling(const Argument& argument) {
  if (!argument.positional().empty()) return argument.positional() + (argument.takes_many() ? "..." : "");
  std::string names;
  for (const std::string& flag : argument.flags()) {
    // --graph, --no-graph is --[no-]graph.
    if (flag.starts_with("--no-") && names.ends_with("--" + flag.substr(5)))
      names.insert(names.size() - flag.size() + 5, "[no-]");
    else
      append(names, flag);
  }
  const std::string value = argument.value_name();
  if (value.empty()) return names;
  return names + (argument.implied_value() ? " [" + value + "]" : " " + value);
}

std::string explanation(const Argument& argument) {
  std::string details = argument.allowed_text();
  if (!argument.positional().empty() && !argument.flags().empty())
    append(details, "or " + join(argument.flags(), ", ") + " " + argument.value_name(), "; ");
  if (!argument.default_text().empty())
    append(details, "default " + argument.default_text(), argument.words().empty() ? ", " : "; ");
  return argument.help() + (details.empty() ? "" : " (" + details + ")");
}

std::string help(const Command& command) {
  std::string out = wrapped(command.full_name() + ": " + command.summary(), 0, 2) + "\n\n";
  out += "Usage: " + wrapped(usage(command), 7, 9) + "\n";
  std::vector<Row> rows;
  for (const Command& sub : command.subcommands())
    if (!sub.is_hidden()) rows.push_back({sub.name(), sub.summary()});
  if (!rows.empty()) out += "\nCommands:\n" + table(rows);
  for (const ArgumentGroup& group : argument_groups(command)) {
    rows.clear();
    for (const Argument* argument : group.arguments)
      rows.push_back({spelling(*argument), explanation(*argument)});
    out += "\n" + group.heading + ":\n" + table(rows);
  }
  if (!command.examples().empty()) out += "\nExamples:\n";
  for (const std::string& line : command.examples()) out += "  " + line + "\n";
  if (!command.subcommands().empty()) {
    const size_t blank = command.full_name().find(' ');
    const std::string below = blank == std::string::npos ? "" : command.full_name().substr(blank + 1) + " ";
    out += "\nHelp on a command: " + command.full_name().substr(0, blank) + " help " + below + "COMMAND\n";
  }
  return out;
}

}  // namespace laban::tools
