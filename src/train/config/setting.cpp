#include "train/config/setting.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/text.h"
#include "core/utf8.h"
#include "train/config/overloaded.h"
#include "train/config/toml_value.h"

namespace laban {
namespace {

/// The whole text as a number; nothing where it is not one.
template <class T>
std::optional<T> parse(std::string_view value) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return number;
}

double parse_number(const std::string& digits, const std::string& origin) {
  const auto found = parse<double>(digits);
  if (!found || std::isnan(*found)) throw UsageError(text(origin, ": '", digits, "' is not a number"));
  return *found;
}

std::string alternatives(const std::vector<std::string>& words) {
  std::string list;
  for (size_t i = 0; i < words.size(); ++i)
    list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return list;
}

constexpr double kEndless = 1e9;  // a bound that is there only because there must be one

std::string bounds(double low, double high) {
  const auto digits = [](double value) {
    char buffer[32];
    return std::string(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
  };
  return high >= kEndless ? "at least " + digits(low) : digits(low) + " to " + digits(high);
}

template <class T>
T within(const std::string& origin, T value, T low, T high) {
  if (value >= low && value <= high) return value;
  throw UsageError(high == std::numeric_limits<T>::max() || std::isinf(static_cast<double>(high))
                       ? text(origin, " is ", value, ", but must be at least ", low)
                       : text(origin, " is ", value, ", but must lie between ", low, " and ", high));
}

[[noreturn]] void not_among(const std::string& origin, const std::string& value,
                            const std::vector<std::string>& words) {
  throw UsageError(text(origin, " is '", value, "', but must be ", alternatives(words)));
}

}  // namespace

int64_t Setting::Whole::get() const {
  return std::visit([](const auto* from) { return static_cast<int64_t>(*from); }, target);
}

void Setting::Whole::set(int64_t value) const {
  std::visit([&](auto* to) { *to = static_cast<std::remove_reference_t<decltype(*to)>>(value); }, target);
}

std::string Setting::Word::get() const {
  return std::visit(Overloaded{[](const std::string* from) { return *from; },
                               [](const std::filesystem::path* from) { return from->string(); }},
                    target);
}

void Setting::Word::set(const std::string& value) const {
  std::visit([&](auto* to) { *to = value; }, target);
}

size_t Setting::Numbers::count() const {
  return std::visit(Overloaded{[](const std::vector<double>*) { return size_t{0}; },
                               []<class T>(const std::span<T>& fixed) { return fixed.size(); }},
                    target);
}

void Setting::Numbers::set(const std::vector<double>& values) const {
  std::visit(Overloaded{[&](std::vector<double>* to) { *to = values; },
                        [&]<class T>(const std::span<T>& to) {
                          std::ranges::transform(values, to.begin(),
                                                 [](double value) { return static_cast<T>(value); });
                        }},
             target);
}

int64_t in_range(const std::string& origin, int64_t value, int64_t low, int64_t high) {
  return within(origin, value, low, high);
}
double in_range(const std::string& origin, double value, double low, double high) {
  return within(origin, value, low, high);
}
double scale_in_range(const std::string& origin, double value) { return within(origin, value, 0.0, 1e6); }

void wrong_kind(const std::string& origin, const std::string& wanted) {
  throw UsageError(text(origin, " must be ", wanted));
}

void assign_word(const Setting::Word& to, const std::string& value, const std::string& origin) {
  if (!to.choices.empty() && std::ranges::find(to.choices, value) == to.choices.end())
    not_among(origin, value, to.choices);
  to.set(value);
}

void assign_choice(const Setting::Choice& to, const std::string& value, const std::string& origin) {
  const auto found = std::ranges::find(to.words, value);
  if (found == to.words.end()) not_among(origin, value, to.words);
  to.set(static_cast<size_t>(found - to.words.begin()));
}

void assign_numbers(const Setting::Numbers& to, std::vector<double> values, const std::string& origin) {
  for (const double value : values) in_range(origin, value, to.low, to.high);
  if (to.count() != 0 && values.size() != to.count())
    throw UsageError(text(origin, " has ", values.size(), " numbers, but needs ", to.count()));
  to.set(values);
}

void assign_size(const Setting::Size& to, const std::string& value, const std::string& origin) {
  const size_t times = value.find('x');
  const auto height = parse<int64_t>(std::string_view(value).substr(0, times));
  const auto width =
      times == std::string::npos ? height : parse<int64_t>(std::string_view(value).substr(times + 1));
  if (!height || !width)
    throw UsageError(text(origin, ": '", value, "' is not a size"),
                     "A size is one number for a square, or HEIGHTxWIDTH, for instance 72x96.");
  const auto side = [&](int64_t pixels) {
    return static_cast<int>(in_range(origin, pixels, to.low, to.high));
  };
  *to.target = {side(*height), side(*width)};
}

void Setting::assign(const std::string& value, const std::string& origin) const {
  if (!is_utf8(value))
    throw UsageError(text(origin, ": '", visible(value), "' is not UTF-8"),
                     "A run's files could not hold it. Rename the file or folder.");
  std::visit(Overloaded{
                 [&](const Flag& to) {
                   if (value != "true" && value != "false") wrong_kind(origin, "true or false");
                   *to.target = value == "true";
                 },
                 [&](const Whole& to) {
                   const auto found = parse<int64_t>(value);
                   if (!found) throw UsageError(text(origin, ": '", value, "' is not a whole number"));
                   to.set(in_range(origin, *found, to.low, to.high));
                 },
                 [&](const Number& to) {
                   *to.target = in_range(origin, parse_number(value, origin), to.low, to.high);
                 },
                 [&](const Word& to) { assign_word(to, value, origin); },
                 [&](const Choice& to) { assign_choice(to, value, origin); },
                 [&](const Numbers& to) {
                   std::vector<double> values;
                   for (const std::string& part : split_at_commas(value))
                     values.push_back(parse_number(part, origin));
                   assign_numbers(to, std::move(values), origin);
                 },
                 [&](const Size& to) { assign_size(to, value, origin); },
                 [&](const Words& to) { *to.target = split_at_commas(value); },
                 [&](const Scales& to) {
                   std::map<std::string, double> scales;
                   for (const std::string& part : split_at_commas(value)) {
                     const size_t equals = part.find('=');
                     if (equals == std::string::npos || equals == 0)
                       throw UsageError(text(origin, ": '", part, "' is not of the form name=factor"));
                     scales[part.substr(0, equals)] =
                         scale_in_range(origin, parse_number(part.substr(equals + 1), origin));
                   }
                   *to.target = std::move(scales);
                 },
             },
             this->value);
}

std::string Setting::toml() const {
  const auto list_of = [](const auto& values, auto write) {
    std::string list;
    for (const auto& value : values) append(list, write(value));
    return "[" + list + "]";
  };
  const auto digits = [](auto number) { return toml_number(number); };
  return std::visit(
      Overloaded{
          [](const Flag& from) { return std::string(*from.target ? "true" : "false"); },
          [](const Whole& from) { return std::to_string(from.get()); },
          [](const Number& from) { return toml_number(*from.target); },
          [](const Word& from) { return toml_string(from.get()); },
          [](const Choice& from) { return toml_string(from.words[from.get()]); },
          [&](const Numbers& from) {
            return std::visit(
                Overloaded{[&](const std::vector<double>* all) { return list_of(*all, digits); },
                           [&]<class T>(const std::span<T>& all) { return list_of(all, digits); }},
                from.target);
          },
          [](const Size& from) {
            return from.target->square() ? std::to_string(from.target->height)
                                         : toml_string(size_text(*from.target));
          },
          [&](const Words& from) { return list_of(*from.target, toml_string); },
          [](const Scales& from) {
            std::string list;
            for (const auto& [name, value] : *from.target)
              list += (list.empty() ? " " : ", ") + toml_string(name) + " = " + toml_number(value);
            return list.empty() ? std::string("{}") : "{" + list + " }";
          },
      },
      value);
}

std::string Setting::plain() const { return toml_as_flag(toml()); }
std::string Setting::default_text() const {
  std::string value = toml_as_flag(default_toml);
  // "20.0" is how TOML tells a float from a whole number.
  const bool floats =
      std::holds_alternative<Number>(this->value) || std::holds_alternative<Numbers>(this->value);
  for (size_t at = value.find(".0"); floats && at != std::string::npos; at = value.find(".0", at + 1))
    if (at + 2 == value.size() || value[at + 2] == ',') value.erase(at, 2);
  return value;
}

std::string Setting::range() const {
  return std::visit(
      Overloaded{
          [](const Whole& of) { return bounds(static_cast<double>(of.low), static_cast<double>(of.high)); },
          [](const Number& of) { return bounds(of.low, of.high); },
          [](const Word& of) { return alternatives(of.choices); },
          [](const Choice& of) { return alternatives(of.words); },
          [](const Size& of) { return bounds(of.low, of.high); },
          [](const Numbers& of) {
            return of.count() == 0 ? "list of numbers, " + bounds(of.low, of.high)
                                   : text(of.count(), " numbers, ", bounds(of.low, of.high));
          },
          [](const auto&) { return std::string(); },
      },
      value);
}

std::string Setting::description() const {
  const std::vector<std::string> words = choices();
  const bool named = !words.empty() && std::ranges::all_of(words, [&](const std::string& word) {
    return help.find(word) != std::string::npos;
  });
  const std::string values = range();
  return named || values.empty() ? help : help + " (" + values + ")";
}

std::vector<std::string> Setting::choices() const {
  return std::visit(Overloaded{
                        [](const Flag&) {
                          return std::vector<std::string>{"true", "false"};
                        },
                        [](const Word& of) { return of.choices; },
                        [](const Choice& of) { return of.words; },
                        [](const auto&) { return std::vector<std::string>(); },
                    },
                    value);
}

}  // namespace laban
