#include "command_line/parse.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <span>

#include "command_line/help.h"
#include "core/error.h"
#include "core/nearest_names.h"
#include "core/text.h"

namespace laban::tools {
namespace {

using Words = std::span<const std::string>;

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h"; }

/// "laban help train": what a sentence says where there is more to read.
std::string help_command(const Command& command) {
  const std::string name = command.full_name();
  const size_t blank = name.find(' ');
  return blank == std::string::npos ? name + " help" : name.substr(0, blank) + " help" + name.substr(blank);
}

std::vector<std::string> names_of(const std::deque<Command>& commands) {
  std::vector<std::string> names;
  for (const Command& command : commands)
    if (!command.is_hidden()) names.push_back(command.name());
  return names;
}

Command& find(Command& parent, const std::string& name) {
  for (Command& command : parent.subcommands())
    if (command.name() == name) return command;
  std::vector<std::string> names = names_of(parent.subcommands());
  const std::string scope = parent.full_name(), what = name.starts_with('-') ? "flag" : "command";
  if (what == "flag") names = {"--help", "--version"};
  throw UsageError(text("unknown ", what, " ", what == "flag" ? visible(name) : "'" + visible(name) + "'",
                        scope.find(' ') == std::string::npos ? "" : " of " + scope),
                   did_you_mean(name, names));
}

/// One pass over the words of a command without subcommands.
class Parser {
 public:
  Parser(Command& command, Words words) : command_(command), words_(words) {}

  void parse() {
    bool only_positionals = false;
    while (at_ < words_.size()) {
      const std::string& word = words_[at_++];
      if (!only_positionals && word == "--")
        only_positionals = true;
      else if (only_positionals || word.size() < 2 || word[0] != '-')
        take_positional(word);
      else
        take_flag(word);
    }
    require_all();
  }

 private:
  void take_flag(const std::string& word) {
    // -oFILE is -o FILE.
    const bool is_long = word.starts_with("--");
    const size_t end = is_long ? word.find('=') : 2;
    const std::string flag = word.substr(0, end);
    Argument* const argument = argument_called(flag);
    if (!argument) refuse(flag);
    const bool attached = end < word.size();
    std::string value = attached ? word.substr(is_long || word[end] == '=' ? end + 1 : end) : "";
    if (!argument->takes_value()) {
      if (attached) throw UsageError(text(flag, " takes no value, but is given '", visible(value), "'"));
      value = flag.starts_with("--no-") ? "false" : "true";
    } else if (!attached) {
      value = next_value(*argument, flag);
    }
    argument->take(flag, value);
  }

  std::string next_value(const Argument& argument, const std::string& flag) {
    const bool there = at_ < words_.size() && !words_[at_].starts_with("--") && !argument_called(words_[at_]);
    if (argument.implied_value()) {
      const bool suits =
          there && (!argument.is_number() || std::isdigit(static_cast<unsigned char>(words_[at_][0])));
      return suits ? words_[at_++] : *argument.implied_value();
    }
    if (there) return words_[at_++];
    const std::string allowed = argument.words().empty() ? argument.allowed_text() : join(argument.words());
    throw UsageError(text(flag, " needs a value", allowed.empty() ? "" : ": " + allowed),
                     text(flag, ' ', argument.value_name(), ": ", argument.help(),
                          at_ < words_.size() && words_[at_].starts_with("--") && words_[at_].size() > 2
                              ? text(". A value that begins with -- is written ", flag, "=VALUE")
                              : "",
                          "."));
  }

  void take_positional(const std::string& word) {
    for (Argument& argument : command_.arguments())
      if (!argument.positional().empty() && (argument.takes_many() || !filled(argument))) {
        argument.take(argument.positional(), word);
        filled_.push_back(&argument);
        return;
      }
    std::string names;
    for (const Argument& argument : command_.arguments())
      if (!argument.positional().empty()) append(names, argument.positional());
    throw UsageError(text(command_.full_name(), ": unexpected argument '", visible(word), "'"),
                     names.empty() ? text("It takes flags only; ", help_command(command_), " lists them.")
                                   : text("It takes one ", names, ", and that is given already; ",
                                          help_command(command_), " says more."));
  }

  bool filled(const Argument& argument) const {
    return std::ranges::find(filled_, &argument) != filled_.end();
  }

  void require_all() const {
    for (const Argument& argument : command_.arguments()) {
      if (argument.is_required() && !argument.given()) {
        std::string missing = argument.positional();
        if (missing.empty()) missing = argument.name() + " " + argument.value_name();
        throw UsageError(text(command_.full_name(), ": ", missing, " is missing: ", argument.help()),
                         text("Usage: ", usage(command_)));
      }
      if (argument.excluded().empty() || !argument.given()) continue;
      for (const Argument& other : command_.arguments())
        if (other.is_called(argument.excluded()) && other.given())
          throw UsageError(text(other.name(), " and ", argument.name(), " exclude each other"),
                           "Give one of them.");
    }
  }

  Argument* argument_called(const std::string& flag) {
    for (Argument& argument : command_.arguments())
      if (argument.is_called(flag)) return &argument;
    return nullptr;
  }

  [[noreturn]] void refuse(const std::string& flag) const {
    std::vector<std::string> known{"--help"};
    for (const Argument& argument : command_.arguments())
      known.insert(known.end(), argument.flags().begin(), argument.flags().end());
    const std::vector<std::string> near =
        flag.size() > 2 ? nearest_names(flag, known) : std::vector<std::string>{};
    throw UsageError(text("unknown flag ", visible(flag), " of ", command_.full_name()),
                     near.empty()
                         ? text(help_command(command_), " lists the flags; a file of that name is written ./",
                                visible(flag), ".")
                         : text("Did you mean ", join(near, " or "), "?"));
  }

  Command& command_;
  Words words_;
  size_t at_ = 0;
  std::vector<const Argument*> filled_;
};

void help_on(Command& program, Words words) {
  Command* command = &program;
  for (const std::string& word : words)
    if (!asks_for_help(word)) command = &find(*command, word);
  std::fputs(help(*command).c_str(), stdout);
}

}  // namespace

void run_command_line(Command& program, const std::string& version, const std::vector<std::string>& words) {
  Words rest(words);
  Command* command = &program;
  while (!command->subcommands().empty()) {
    if (rest.empty() || asks_for_help(rest[0])) {
      std::fputs(help(*command).c_str(), stdout);
      return;
    }
    if (command == &program) {
      if (rest[0] == "help") return help_on(program, rest.subspan(1));
      if (rest[0] == "-v" || rest[0] == "-V" || rest[0] == "--version") {
        std::printf("%s %s\n", program.name().c_str(), version.c_str());
        return;
      }
    }
    command = &find(*command, rest[0]);
    rest = rest.subspan(1);
  }
  // Whatever else is wrong: who asks for help gets it.
  const auto end = std::ranges::find(rest, "--");
  if (std::any_of(rest.begin(), end, asks_for_help)) {
    std::fputs(help(*command).c_str(), stdout);
    return;
  }
  Parser(*command, rest).parse();
  command->run();
}

}  // namespace laban::tools
