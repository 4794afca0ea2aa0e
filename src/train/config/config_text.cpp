// A Config to and from text: TOML files and command-line flags.
#include <toml++/toml.h>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/nearest_names.h"
#include "core/text.h"
#include "train/config/config.h"

namespace laban {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

// ---- writing ---------------------------------------------------------------------------------------------

/// The shortest digits that read back as the same double, in a form that TOML takes for a float.
std::string toml_number(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  std::string digits(buffer, end);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  return digits;
}

std::string toml_string(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      const char digits[] = "0123456789abcdef";
      out += "\\u00", out += digits[(c >> 4) & 15], out += digits[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

// ---- reading ---------------------------------------------------------------------------------------------

/// Where a value came from, to begin an error's sentence: "run.toml, line 3: optimizer.lr" or "--lr".
using Origin = std::string;

template <class T>
T in_range(const Origin& origin, T value, T low, T high) {
  if (value >= low && value <= high) return value;
  throw UsageError(high == std::numeric_limits<T>::max() || std::isinf(static_cast<double>(high))
                       ? text(origin, " is ", value, ", but must be at least ", low)
                       : text(origin, " is ", value, ", but must lie between ", low, " and ", high));
}

std::string one_of(const Origin& origin, const std::string& value, const std::vector<std::string>& choices) {
  if (choices.empty() || std::ranges::find(choices, value) != choices.end()) return value;
  std::string known;
  for (const std::string& choice : choices) known += (known.empty() ? "" : ", ") + choice;
  throw UsageError(text(origin, " is '", value, "', but must be one of: ", known));
}

void check_count(const Origin& origin, size_t got, size_t wanted) {
  if (wanted != 0 && got != wanted)
    throw UsageError(text(origin, " has ", got, " numbers, but needs ", wanted));
}

double scale_in_range(const Origin& origin, double value) { return in_range(origin, value, 0.0, 1e6); }

[[noreturn]] void wrong_kind(const Origin& origin, const std::string& wanted) {
  throw UsageError(text(origin, " must be ", wanted));
}

void assign(const Setting& setting, const toml::node& node, const Origin& origin) {
  const auto number = [&](const toml::node& value) {
    const auto found = value.is_number() ? value.value<double>() : std::nullopt;
    if (!found || std::isnan(*found)) wrong_kind(origin, "a number");
    return *found;
  };
  std::visit(
      Overloaded{
          [&](const Setting::Flag& to) {
            if (!node.is_boolean()) wrong_kind(origin, "true or false");
            *to.target = **node.as_boolean();
          },
          [&](const Setting::Whole& to) {
            if (!node.is_integer()) wrong_kind(origin, "a whole number");
            *to.target = in_range(origin, **node.as_integer(), to.low, to.high);
          },
          [&](const Setting::Number& to) { *to.target = in_range(origin, number(node), to.low, to.high); },
          [&](const Setting::Word& to) {
            if (!node.is_string()) wrong_kind(origin, "a text in quotes");
            *to.target = one_of(origin, **node.as_string(), to.choices);
          },
          [&](const Setting::Numbers& to) {
            if (!node.is_array()) wrong_kind(origin, "a list of numbers, like [1, 2, 3]");
            std::vector<double> values;
            for (const toml::node& item : *node.as_array())
              values.push_back(in_range(origin, number(item), to.low, to.high));
            check_count(origin, values.size(), to.count);
            *to.target = std::move(values);
          },
          [&](const Setting::Words& to) {
            if (!node.is_array()) wrong_kind(origin, "a list of texts, like [\"stem\", \"layer1\"]");
            std::vector<std::string> words;
            for (const toml::node& item : *node.as_array()) {
              if (!item.is_string()) wrong_kind(origin, "a list of texts, like [\"stem\", \"layer1\"]");
              words.push_back(**item.as_string());
            }
            *to.target = std::move(words);
          },
          [&](const Setting::Scales& to) {
            if (!node.is_table()) wrong_kind(origin, "a table, like { stem = 0.0, fc = 10.0 }");
            to.target->clear();
            for (const auto& [name, value] : *node.as_table())
              (*to.target)[std::string(name.str())] = scale_in_range(origin, number(value));
          },
      },
      setting.value);
}

/// The whole text as a number; nothing where it is not one.
template <class T>
std::optional<T> parse(std::string_view value) {
  T number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return number;
}

void assign(const Setting& setting, const std::string& value, const Origin& origin) {
  const auto number = [&](const std::string& digits) {
    const auto found = parse<double>(digits);
    if (!found || std::isnan(*found)) throw UsageError(text(origin, ": '", digits, "' is not a number"));
    return *found;
  };
  std::visit(
      Overloaded{
          [&](const Setting::Flag& to) {
            if (value != "true" && value != "false") wrong_kind(origin, "true or false");
            *to.target = value == "true";
          },
          [&](const Setting::Whole& to) {
            const auto found = parse<int64_t>(value);
            if (!found) throw UsageError(text(origin, ": '", value, "' is not a whole number"));
            *to.target = in_range(origin, *found, to.low, to.high);
          },
          [&](const Setting::Number& to) { *to.target = in_range(origin, number(value), to.low, to.high); },
          [&](const Setting::Word& to) { *to.target = one_of(origin, value, to.choices); },
          [&](const Setting::Numbers& to) {
            std::vector<double> values;
            for (const std::string& part : split_at_commas(value))
              values.push_back(in_range(origin, number(part), to.low, to.high));
            check_count(origin, values.size(), to.count);
            *to.target = std::move(values);
          },
          [&](const Setting::Words& to) { *to.target = split_at_commas(value); },
          [&](const Setting::Scales& to) {
            std::map<std::string, double> scales;
            for (const std::string& part : split_at_commas(value)) {
              const size_t equals = part.find('=');
              if (equals == std::string::npos || equals == 0)
                throw UsageError(text(origin, ": '", part, "' is not of the form name=factor"));
              scales[part.substr(0, equals)] = scale_in_range(origin, number(part.substr(equals + 1)));
            }
            *to.target = std::move(scales);
          },
      },
      setting.value);
}

}  // namespace

std::string Setting::toml() const {
  return std::visit(Overloaded{
                        [](const Flag& from) { return std::string(*from.target ? "true" : "false"); },
                        [](const Whole& from) { return std::to_string(*from.target); },
                        [](const Number& from) { return toml_number(*from.target); },
                        [](const Word& from) { return toml_string(*from.target); },
                        [](const Numbers& from) {
                          std::string list;
                          for (const double value : *from.target)
                            list += (list.empty() ? "" : ", ") + toml_number(value);
                          return "[" + list + "]";
                        },
                        [](const Words& from) {
                          std::string list;
                          for (const std::string& word : *from.target)
                            list += (list.empty() ? "" : ", ") + toml_string(word);
                          return "[" + list + "]";
                        },
                        [](const Scales& from) {
                          std::string list;
                          for (const auto& [name, value] : *from.target)
                            list +=
                                (list.empty() ? " " : ", ") + toml_string(name) + " = " + toml_number(value);
                          return list.empty() ? std::string("{}") : "{" + list + " }";
                        },
                    },
                    value);
}

std::string to_toml(const Config& config) {
  Config copy = config;  // settings() hands out pointers to write through; here they are only read
  std::string out = std::string(kConfigHeader) + " `laban train --config` takes this file.\n";
  std::string section;
  for (const Setting& setting : settings(copy)) {
    if (setting.section != section) out += "\n[" + (section = setting.section) + "]\n";
    const std::string line = setting.key + " = " + setting.toml();
    out += line + std::string(line.size() < 32 ? 32 - line.size() : 1, ' ') + "# " + setting.help + "\n";
  }
  return out;
}

void apply_toml(Config& config, std::string_view toml, const std::string& source) {
  toml::table document;
  try {
    document = toml::parse(toml, source);
  } catch (const toml::parse_error& error) {
    throw UsageError(
        text(source, ", line ", error.source().begin.line, ": this is not valid TOML: ", error.description()),
        "A setting reads `key = value`, below a line with its [section].");
  }
  const std::vector<Setting> all = settings(config);
  std::vector<std::string> sections;
  for (const Setting& setting : all)
    if (sections.empty() || sections.back() != setting.section) sections.push_back(setting.section);

  const auto at = [&](const toml::node& node) {
    return text(source, ", line ", node.source().begin.line, ": ");
  };
  for (const auto& [section_key, section_node] : document) {
    const std::string section(section_key.str());
    if (std::ranges::find(sections, section) == sections.end() || !section_node.is_table()) {
      std::vector<std::string> known;
      for (const Setting& setting : all) known.push_back(setting.name());
      if (section_node.is_table()) known = sections;
      // A key above all sections: it is probably meant to be in one.
      for (const Setting& setting : all)
        if (setting.key == section && !section_node.is_table())
          throw UsageError(at(section_node) + "'" + section + "' stands outside of any section",
                           "It belongs below a line [" + setting.section + "].");
      throw UsageError(at(section_node) + "there is no " + (section_node.is_table() ? "section" : "setting") +
                           " '" + section + "'",
                       did_you_mean(section, known));
    }
    std::vector<std::string> known;
    for (const Setting& setting : all)
      if (setting.section == section) known.push_back(setting.key);
    const auto set = [&](std::string_view key, const toml::node& node) {
      const auto found =
          std::ranges::find_if(all, [&](const Setting& s) { return s.section == section && s.key == key; });
      if (found == all.end())
        throw UsageError(at(node) + "there is no setting '" + std::string(key) + "' in [" + section + "]",
                         did_you_mean(std::string(key), known));
      assign(*found, node, at(node) + found->name());
    };
    const toml::table& table = *section_node.as_table();
    if (const toml::node* preset = section == "clip" ? table.get("preset") : nullptr) {
      set("preset", *preset);
      apply_preset(config);
    }
    for (const auto& [key, node] : table) set(key.str(), node);
  }
}

void apply_config_file(Config& config, const std::string& path) { apply_toml(config, read_file(path), path); }

void apply_flag(Config& config, const std::string& flag, const std::string& value) {
  std::vector<std::string> known;
  for (const Setting& setting : settings(config)) {
    if (setting.flag == flag) {
      assign(setting, value, "--" + flag);
      if (flag == "preset") apply_preset(config);
      return;
    }
    known.push_back(setting.flag);
  }
  throw UsageError("there is no flag --" + flag, did_you_mean(flag, known));
}

}  // namespace laban
