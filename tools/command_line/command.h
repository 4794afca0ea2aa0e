// The command line as data: which commands there are, which flags and arguments each takes, and what they do.
// Parsing, help, shell completion and manual pages are all made from it, so none of them can go stale.
//
//   Command& check = program.subcommand("check", "find the broken files of a dataset");
//   check.add("DATA,--data", options->data, "dataset folder, or a list of clips").path(PathKind::any).required();
//   check.add("--show", options->show, "findings to list of each kind").range(0, 1'000'000);
//   check.example("laban check clips").action([options] { run(*options); });
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace laban::tools {

/// Which paths a value may name; shells complete accordingly.
enum class PathKind { none, any, file, folder };

/// A flag, an argument without one, or both: a value that may be given either way.
class Argument {
 public:
  /// Where a value goes. A bool takes none: its names set it, and those that begin with --no- clear it. A
  /// vector takes many: separated by commas after a flag, as words of their own where there is no flag.
  using Target = std::variant<bool*, std::string*, int*, int64_t*, uint64_t*, double*, std::optional<int>*,
                              std::optional<double>*, std::vector<std::string>*, std::vector<int64_t>*,
                              std::function<void(const std::string&, const std::string&)>,
                              std::function<void(bool, const std::string&)>>;

  /// `names`: "--size", "-o,--output", "DATA,--data" (the word without dashes names the argument), or
  /// "--graph,--no-graph". The target's present value is the default that help shows.
  Argument(const std::string& names, Target target, std::string help);

  // How it is described. Each returns the argument itself.
  /// Name of the value in help: "FILE". Otherwise made from the kind of target.
  Argument& value(std::string name);
  Argument& path(PathKind kind);
  /// Inclusive.
  template <class T>
  Argument& range(T low, T high) {
    if constexpr (std::is_floating_point_v<T>)
      number_range_ = {low, high};
    else
      whole_range_ = {static_cast<int64_t>(low), static_cast<int64_t>(high)};
    return *this;
  }
  Argument& choices(std::vector<std::string> words);
  Argument& required();
  /// Heading in help below which it stands.
  Argument& group(std::string heading);
  /// Default as help shows it, where the target's value does not tell; empty: none.
  Argument& shown_default(std::string text);
  /// The value that stands for none after the flag.
  Argument& implied(std::string text);
  /// May not be given together with the flag of that name.
  Argument& excludes(std::string flag);
  /// Another spelling, kept for old command lines.
  Argument& alias(std::string flag);
  /// What help says of the allowed values ("1 to 4096"), where somebody else checks them.
  Argument& allowed(std::string text);

  const std::vector<std::string>& flags() const { return flags_; }
  const std::vector<std::string>& aliases() const { return aliases_; }
  /// Empty where it is a flag only.
  const std::string& positional() const { return positional_; }
  const std::string& help() const { return help_; }
  const std::string& group() const { return group_; }
  const std::string& default_text() const { return default_; }
  const std::vector<std::string>& words() const { return choices_; }
  PathKind path_kind() const { return path_; }
  bool is_required() const { return required_; }
  bool takes_value() const;
  bool takes_many() const;
  bool is_number() const;
  const std::optional<std::string>& implied_value() const { return implied_; }
  const std::string& excluded() const { return excludes_; }
  /// "N", "FILE", "X,Y"; empty for a switch.
  std::string value_name() const;
  /// "1 to 4096", "at least 1", "tsn, dense"; empty where anything goes or the help names all choices.
  std::string allowed_text() const;
  /// Its name in messages: the longest flag, else the argument's name.
  std::string name() const;
  /// The spelling that `word` is, with its dashes.
  bool is_called(const std::string& word) const;

  /// Takes a value in, as if given as `spelling`. Throws UsageError for one that does not suit, or differs
  /// from one that was given before.
  void take(const std::string& spelling, const std::string& value);
  bool given() const { return !given_.empty(); }

 private:
  void store(const std::string& spelling, const std::string& value);
  int64_t whole(const std::string& spelling, const std::string& value) const;
  double number(const std::string& spelling, const std::string& value) const;

  std::vector<std::string> flags_, aliases_;
  std::string positional_, help_, group_, default_, value_name_, allowed_, excludes_;
  Target target_;
  std::vector<std::string> choices_;
  PathKind path_ = PathKind::none;
  bool required_ = false;
  std::optional<std::string> implied_;
  std::optional<std::pair<int64_t, int64_t>> whole_range_;
  std::optional<std::pair<double, double>> number_range_;
  std::vector<std::pair<std::string, std::string>> given_;  // spelling and value, in order
};

class Command {
 public:
  Command(std::string name, std::string summary) : name_(std::move(name)), summary_(std::move(summary)) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command& subcommand(std::string name, std::string summary);
  template <class T>
  Argument& add(const std::string& names, T& target, std::string help) {
    return arguments_.emplace_back(names, Argument::Target(&target), std::move(help));
  }
  /// For values that are kept elsewhere: `take` gets the value and the spelling under which it was given.
  Argument& add_text(const std::string& names,
                     std::function<void(const std::string&, const std::string&)> take, std::string help) {
    return arguments_.emplace_back(names, Argument::Target(std::move(take)), std::move(help));
  }
  Argument& add_switch(const std::string& names, std::function<void(bool, const std::string&)> take,
                       std::string help) {
    return arguments_.emplace_back(names, Argument::Target(std::move(take)), std::move(help));
  }
  /// A line that works, for the end of the help.
  Command& example(std::string line);
  /// What the command does once its arguments are taken in.
  Command& action(std::function<void()> run);
  /// Works, but help and completion do not list it.
  Command& hidden();

  const std::string& name() const { return name_; }
  /// "laban bench load"
  std::string full_name() const { return parent_ ? parent_->full_name() + " " + name_ : name_; }
  const std::string& summary() const { return summary_; }
  const std::deque<Argument>& arguments() const { return arguments_; }
  std::deque<Argument>& arguments() { return arguments_; }
  const std::deque<Command>& subcommands() const { return subcommands_; }
  std::deque<Command>& subcommands() { return subcommands_; }
  const std::vector<std::string>& examples() const { return examples_; }
  bool is_hidden() const { return hidden_; }
  void run() const { run_(); }

 private:
  std::string name_, summary_;
  const Command* parent_ = nullptr;
  std::deque<Argument> arguments_;  // deques: references stay valid
  std::deque<Command> subcommands_;
  std::vector<std::string> examples_;
  std::function<void()> run_;
  bool hidden_ = false;
};

}  // namespace laban::tools
