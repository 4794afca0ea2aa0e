#include "command_line/command.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "core/nearest_names.h"
#include "core/text.h"

namespace laban::tools {
namespace {

constexpr int64_t kAsGoodAsInfinite = 1'000'000;  // a bound that only keeps numbers countable

/// The whole text as a number; nothing where it is none, or does not fit.
template <class T>
std::optional<T> parsed(const std::string& value) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return number;
}

template <class T>
std::string bounds_text(T low, T high) {
  if (static_cast<double>(high) >= static_cast<double>(kAsGoodAsInfinite)) return text("at least ", low);
  std::ostringstream bounds;
  bounds << std::setprecision(12) << low << " to " << high;
  return bounds.str();
}

std::string default_of(const Argument::Target& target) {
  if (const auto* s = std::get_if<std::string*>(&target)) return **s;
  if (const auto* i = std::get_if<int*>(&target)) return text(**i);
  if (const auto* i = std::get_if<int64_t*>(&target)) return text(**i);
  if (const auto* i = std::get_if<uint64_t*>(&target)) return text(**i);
  if (const auto* d = std::get_if<double*>(&target)) return text(**d);
  return "";
}

}  // namespace

Argument::Argument(const std::string& names, Target target, std::string help)
    : help_(std::move(help)), default_(default_of(target)), target_(std::move(target)) {
  for (std::string& name : split_at_commas(names))
    if (name.starts_with('-'))
      flags_.push_back(std::move(name));
    else
      positional_ = std::move(name);
}

Argument& Argument::value(std::string name) { return value_name_ = std::move(name), *this; }
Argument& Argument::path(PathKind kind) { return path_ = kind, *this; }
Argument& Argument::choices(std::vector<std::string> words) { return choices_ = std::move(words), *this; }
Argument& Argument::required() { return required_ = true, default_.clear(), *this; }
Argument& Argument::group(std::string heading) { return group_ = std::move(heading), *this; }
Argument& Argument::shown_default(std::string shown) { return default_ = std::move(shown), *this; }
Argument& Argument::implied(std::string word) { return implied_ = std::move(word), *this; }
Argument& Argument::excludes(std::string flag) { return excludes_ = std::move(flag), *this; }
Argument& Argument::alias(std::string flag) { return aliases_.push_back(std::move(flag)), *this; }
Argument& Argument::allowed(std::string shown) { return allowed_ = std::move(shown), *this; }

bool Argument::takes_value() const {
  return !std::holds_alternative<bool*>(target_) &&
         !std::holds_alternative<std::function<void(bool, const std::string&)>>(target_);
}

bool Argument::takes_many() const {
  return std::holds_alternative<std::vector<std::string>*>(target_) ||
         std::holds_alternative<std::vector<int64_t>*>(target_);
}

bool Argument::is_number() const {
  return std::holds_alternative<int*>(target_) || std::holds_alternative<int64_t*>(target_) ||
         std::holds_alternative<uint64_t*>(target_) || std::holds_alternative<double*>(target_) ||
         std::holds_alternative<std::optional<int>*>(target_) ||
         std::holds_alternative<std::optional<double>*>(target_);
}

std::string Argument::value_name() const {
  if (!takes_value()) return "";
  if (!value_name_.empty()) return value_name_;
  if (!positional_.empty()) return positional_;
  if (path_ == PathKind::folder) return "DIR";
  if (path_ == PathKind::file) return "FILE";
  if (path_ == PathKind::any) return "PATH";
  if (!choices_.empty()) return "NAME";
  if (std::holds_alternative<double*>(target_) || std::holds_alternative<std::optional<double>*>(target_))
    return "X";
  if (is_number()) return "N";
  if (std::holds_alternative<std::vector<int64_t>*>(target_)) return "N,...";
  if (takes_many()) return "NAME,...";
  return "TEXT";
}

std::string Argument::allowed_text() const {
  if (!allowed_.empty()) return allowed_;
  if (whole_range_) return bounds_text(whole_range_->first, whole_range_->second);
  if (number_range_) return bounds_text(number_range_->first, number_range_->second);
  const bool named = std::ranges::all_of(
      choices_, [&](const std::string& word) { return help_.find(word) != std::string::npos; });
  return named ? "" : join(choices_);
}

std::string Argument::name() const {
  for (const std::string& flag : flags_)
    if (flag.starts_with("--")) return flag;
  return flags_.empty() ? positional_ : flags_.front();
}

bool Argument::is_called(const std::string& word) const {
  return std::ranges::find(flags_, word) != flags_.end() ||
         std::ranges::find(aliases_, word) != aliases_.end();
}

int64_t Argument::whole(const std::string& spelling, const std::string& value) const {
  const auto found = parsed<int64_t>(value);
  if (!found) throw UsageError(text(spelling, ": '", visible(value), "' is not a whole number"));
  if (whole_range_ && (*found < whole_range_->first || *found > whole_range_->second))
    throw UsageError(text(spelling, " is ", *found, ", but must lie between ", whole_range_->first, " and ",
                          whole_range_->second));
  return *found;
}

double Argument::number(const std::string& spelling, const std::string& value) const {
  const auto found = parsed<double>(value);
  if (!found || !std::isfinite(*found))
    throw UsageError(text(spelling, ": '", visible(value), "' is not a number"));
  if (number_range_ && (*found < number_range_->first || *found > number_range_->second))
    throw UsageError(text(spelling, " is ", value, ", but must lie between ", number_range_->first, " and ",
                          number_range_->second));
  return *found;
}

void Argument::take(const std::string& spelling, const std::string& value) {
  const auto accumulates = takes_many() && spelling == positional_;
  for (const auto& [earlier, other] : given_)
    if (other != value && !accumulates) {
      if (!takes_value())
        throw UsageError(text(earlier, " and ", spelling, " are both given"), "Give one of them.");
      throw UsageError(earlier == spelling ? text(spelling, " is given twice: '", visible(other), "' and '",
                                                  visible(value), "'")
                                           : text(earlier, " is '", visible(other), "', but ", spelling,
                                                  " is '", visible(value), "'; they are the same setting"),
                       "Give it once.");
    }
  store(spelling, value);
  given_.emplace_back(spelling, value);
}

void Argument::store(const std::string& spelling, const std::string& value) {
  const auto narrow = [&] {
    const int64_t found = whole(spelling, value);
    if (found < std::numeric_limits<int>::min() || found > std::numeric_limits<int>::max())
      throw UsageError(text(spelling, " is ", found, ", which is too large"));
    return static_cast<int>(found);
  };
  if (!choices_.empty() && std::ranges::find(choices_, value) == choices_.end()) {
    const std::vector<std::string> near = nearest_names(value, choices_);
    throw UsageError(text(spelling, " is '", visible(value), "', but must be one of: ", join(choices_, ", ")),
                     near.empty() ? "" : text("Did you mean ", near.front(), "?"));
  }
  if (auto* target = std::get_if<bool*>(&target_))
    **target = value == "true";
  else if (auto* target = std::get_if<std::function<void(bool, const std::string&)>>(&target_))
    (*target)(value == "true", spelling);
  else if (auto* target = std::get_if<std::function<void(const std::string&, const std::string&)>>(&target_))
    (*target)(value, spelling);
  else if (auto* target = std::get_if<std::string*>(&target_))
    **target = value;
  else if (auto* target = std::get_if<int*>(&target_))
    **target = narrow();
  else if (auto* target = std::get_if<std::optional<int>*>(&target_))
    **target = narrow();
  else if (auto* target = std::get_if<int64_t*>(&target_))
    **target = whole(spelling, value);
  else if (auto* target = std::get_if<double*>(&target_))
    **target = number(spelling, value);
  else if (auto* target = std::get_if<std::optional<double>*>(&target_))
    **target = number(spelling, value);
  else if (auto* target = std::get_if<uint64_t*>(&target_)) {
    const auto found = parsed<uint64_t>(value);
    if (!found)
      throw UsageError(text(spelling, ": '", visible(value), "' is not a whole number of at least 0"));
    **target = *found;
  } else if (auto* target = std::get_if<std::vector<int64_t>*>(&target_)) {
    for (const std::string& part : split_at_commas(value)) (*target)->push_back(whole(spelling, part));
  } else if (auto* target = std::get_if<std::vector<std::string>*>(&target_)) {
    if (spelling == positional_)
      (*target)->push_back(value);
    else
      for (std::string& part : split_at_commas(value)) (*target)->push_back(std::move(part));
  }
}

Command& Command::subcommand(std::string name, std::string summary) {
  Command& added = subcommands_.emplace_back(std::move(name), std::move(summary));
  added.parent_ = this;
  return added;
}
Command& Command::example(std::string line) { return examples_.push_back(std::move(line)), *this; }
Command& Command::action(std::function<void()> run) { return run_ = std::move(run), *this; }
Command& Command::hidden() { return hidden_ = true, *this; }

}  // namespace laban::tools
