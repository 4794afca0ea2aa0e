// A Config as a TOML file.
#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/nearest_names.h"
#include "train/config/config.h"
#include "train/config/overloaded.h"
#include "train/config/renamed.h"

namespace laban {
namespace {

double number_in(const toml::node& node, const std::string& origin) {
  const auto found = node.is_number() ? node.value<double>() : std::nullopt;
  if (!found || std::isnan(*found)) wrong_kind(origin, "a number");
  return *found;
}

std::string text_in(const toml::node& node, const std::string& origin) {
  if (!node.is_string()) wrong_kind(origin, "a text in quotes");
  return **node.as_string();
}

void assign(const Setting& setting, const toml::node& node, const std::string& origin) {
  std::visit(Overloaded{
                 [&](const Setting::Flag& to) {
                   if (!node.is_boolean()) wrong_kind(origin, "true or false");
                   *to.target = **node.as_boolean();
                 },
                 [&](const Setting::Whole& to) {
                   if (!node.is_integer()) wrong_kind(origin, "a whole number");
                   to.set(in_range(origin, **node.as_integer(), to.low, to.high));
                 },
                 [&](const Setting::Number& to) {
                   *to.target = in_range(origin, number_in(node, origin), to.low, to.high);
                 },
                 [&](const Setting::Word& to) { assign_word(to, text_in(node, origin), origin); },
                 [&](const Setting::Choice& to) { assign_choice(to, text_in(node, origin), origin); },
                 [&](const Setting::Numbers& to) {
                   if (!node.is_array()) wrong_kind(origin, "a list of numbers, like [1, 2, 3]");
                   std::vector<double> values;
                   for (const toml::node& item : *node.as_array()) values.push_back(number_in(item, origin));
                   assign_numbers(to, std::move(values), origin);
                 },
                 [&](const Setting::Size& to) {
                   if (node.is_integer())
                     *to.target = static_cast<int>(in_range(origin, **node.as_integer(), to.low, to.high));
                   else if (node.is_string())
                     assign_size(to, **node.as_string(), origin);
                   else
                     wrong_kind(origin, "a whole number, or a text like \"72x96\"");
                 },
                 [&](const Setting::Words& to) {
                   if (!node.is_array()) wrong_kind(origin, "a list of texts, like [\"stem\", \"layer1\"]");
                   std::vector<std::string> words;
                   for (const toml::node& item : *node.as_array()) {
                     if (!item.is_string())
                       wrong_kind(origin, "a list of texts, like [\"stem\", \"layer1\"]");
                     words.push_back(**item.as_string());
                   }
                   *to.target = std::move(words);
                 },
                 [&](const Setting::Scales& to) {
                   if (!node.is_table()) wrong_kind(origin, "a table, like { stem = 0.0, fc = 10.0 }");
                   to.target->clear();
                   for (const auto& [name, value] : *node.as_table())
                     (*to.target)[std::string(name.str())] = scale_in_range(origin, number_in(value, origin));
                 },
             },
             setting.value);
}

/// Reads a document into a config.
class Reader {
 public:
  Reader(Config& config, const std::string& source, std::vector<std::string>* notes)
      : config_(config), source_(source), notes_(notes), all_(settings(config)) {}

  /// The flags of the settings that were read.
  const std::set<std::string>& done() const { return done_; }

  void read(const toml::table& document) {
    for (const auto& [key, node] : document) {
      const std::string section(key.str());
      if (!is_section(section) || !node.is_table()) refuse(section, node);
      const toml::table& table = *node.as_table();
      if (const toml::node* preset = section == "clip" ? table.get("preset") : nullptr) {
        set(section, "preset", *preset);
        apply_preset(config_);
      }
      for (const auto& [name, value] : table) set(section, std::string(name.str()), value);
    }
  }

 private:
  std::string at(const toml::node& node) const {
    return text(source_, ", line ", node.source().begin.line, ": ");
  }

  bool is_section(const std::string& name) const {
    return std::ranges::any_of(all_, [&](const Setting& setting) { return setting.section == name; });
  }

  /// Something at the top that is no section of ours.
  [[noreturn]] void refuse(const std::string& name, const toml::node& node) const {
    std::vector<std::string> known;
    if (node.is_table()) {
      for (const Setting& setting : all_)
        if (known.empty() || known.back() != setting.section) known.push_back(setting.section);
    } else {
      for (const Setting& setting : all_) {
        if (setting.key == name)
          throw UsageError(at(node) + "'" + name + "' stands outside of any section",
                           "It belongs below a line [" + setting.section + "].");
        known.push_back(setting.name());
      }
    }
    throw UsageError(
        at(node) + "there is no " + (node.is_table() ? "section" : "setting") + " '" + name + "'",
        did_you_mean(name, known));
  }

  void set(const std::string& section, std::string key, const toml::node& node) {
    for (const RenamedSetting& renamed : renamed_settings())
      if (section == renamed.section && key == renamed.old_key) {
        if (notes_)
          notes_->push_back(text(at(node), section, ".", key, " is now ", section, ".", renamed.key));
        key = renamed.key;
      }
    const auto found = std::ranges::find_if(
        all_, [&](const Setting& setting) { return setting.section == section && setting.key == key; });
    if (found == all_.end()) {
      std::vector<std::string> known;
      for (const Setting& setting : all_)
        if (setting.section == section) known.push_back(setting.key);
      throw UsageError(at(node) + "there is no setting '" + key + "' in [" + section + "]",
                       did_you_mean(key, known));
    }
    // A preset is read first, and then met again in its place.
    if (!done_.insert(found->flag).second && found->flag != "preset")
      throw UsageError(at(node) + found->name() + " is set twice, here and by its former name",
                       "Remove the former one.");
    assign(*found, node, at(node) + found->name());
  }

  Config& config_;
  const std::string& source_;
  std::vector<std::string>* notes_;
  std::vector<Setting> all_;
  std::set<std::string> done_;
};

// A config has a few thousand bytes, and keys of two parts.
constexpr size_t kLongestToml = 1 << 20, kMostKeyParts = 16;

/// Throws UsageError for text whose size or nesting would overwhelm the parser: each part of a dotted key is a
/// table within a table, and tables are destroyed by recursion. (The parser limits brackets by itself.)
void require_reasonable(std::string_view toml, const std::string& source) {
  if (toml.size() > kLongestToml)
    throw UsageError(text(source, ": has ", toml.size(), " bytes; a config has ", kLongestToml, " at most"),
                     "Is it the right file?");
  size_t line = 1, parts = 1;
  for (size_t i = 0; i < toml.size(); ++i) {
    const char c = toml[i];
    if (c == '\n') ++line;
    if (c == '"' || c == '\'') {  // a string, or a quoted part of a key
      const std::string_view rest = toml.substr(i);
      const std::string_view quotes = rest.substr(0, rest.starts_with(std::string(3, c)) ? 3 : 1);
      for (i += quotes.size(); i < toml.size() && !toml.substr(i).starts_with(quotes); ++i) {
        if (c == '"' && toml[i] == '\\') ++i;
        if (quotes.size() == 1 && toml[i] == '\n') break;
        line += toml[i] == '\n';
      }
      i += quotes.size() - 1;
    } else if (c == '#') {
      i = std::min(toml.find('\n', i), toml.size()) - 1;
    } else if (c == '.') {
      if (++parts > kMostKeyParts)
        throw UsageError(text(source, ", line ", line, ": a key has more than ", kMostKeyParts, " parts"),
                         "A setting reads `key = value`, below a line with its [section].");
    } else if (c == '\n' || c == '=' || c == ',' || c == '[' || c == ']' || c == '{' || c == '}') {
      parts = 1;
    }
  }
}

}  // namespace

std::string to_toml(const Config& config) {
  Config copy = config;  // settings() hands out pointers to write through; here they are only read
  std::string out = std::string(kConfigHeader) + " `laban train --config` takes this file.\n";
  std::string section;
  for (const Setting& setting : settings(copy)) {
    if (setting.section != section) out += "\n[" + (section = setting.section) + "]\n";
    const std::string line = setting.key + " = " + setting.toml();
    out += line + std::string(line.size() < 32 ? 32 - line.size() : 1, ' ') + "# " + setting.description() +
           "\n";
  }
  return out;
}

void apply_toml(Config& config, std::string_view toml, const std::string& source,
                std::vector<std::string>* notes, std::vector<std::string>* given) {
  require_reasonable(toml, source);
  toml::table document;
  try {
    document = toml::parse(toml, source);
  } catch (const toml::parse_error& error) {
    throw UsageError(
        text(source, ", line ", error.source().begin.line, ": this is not valid TOML: ", error.description()),
        "A setting reads `key = value`, below a line with its [section].");
  }
  Reader reader(config, source, notes);
  reader.read(document);
  if (given) given->insert(given->end(), reader.done().begin(), reader.done().end());
}

void apply_config_file(Config& config, const std::string& path, std::vector<std::string>* notes,
                       std::vector<std::string>* given) {
  apply_toml(config, read_file(path), path, notes, given);
}

}  // namespace laban
