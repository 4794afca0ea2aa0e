// The words of help and of errors: the field's own, not those that laban once made up.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "program/help_text.h"
#include "program/retired_words.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

/// The retired words in a text, with what stands around them.
std::vector<std::string> retired_in(std::string said) {
  std::ranges::transform(said, said.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::vector<std::string> found;
  for (const test::RetiredWord& word : test::kRetiredWords) {
    const std::regex pattern(text("\\b(", word.pattern, ")\\b"));
    for (auto at = std::sregex_iterator(said.begin(), said.end(), pattern); at != std::sregex_iterator();
         ++at) {
      const auto from = static_cast<size_t>(std::max<std::ptrdiff_t>(0, at->position() - 30));
      found.push_back(text("'", at->str(), "' (", word.instead, ") in: ...", said.substr(from, 80)));
    }
  }
  return found;
}

/// What stands in string literals of a source, one a line; comments are left out.
std::string literals_of(const std::string& source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source.compare(i, 2, "//") == 0) {
      i = std::min(source.find('\n', i), source.size());
    } else if (source[i] == '\'') {  // a character, or a separator of digits
      if (i + 2 < source.size() && source[i + 1] == '\\')
        i += 3;
      else if (i + 2 < source.size() && source[i + 2] == '\'')
        i += 2;
    } else if (source[i] == '"' && i > 0 && source[i - 1] == 'R') {  // scripts and style sheets
      const std::string end = text(")", source.substr(i + 1, source.find('(', i) - i - 1), "\"");
      i = std::min(source.find(end, i), source.size() - end.size()) + end.size() - 1;
    } else if (source[i] == '"') {
      for (++i; i < source.size() && source[i] != '"'; ++i) {
        if (source[i] == '\\') ++i;
        out += source[i];
      }
      out += '\n';
    }
  }
  return out;
}

}  // namespace

TEST_CASE("retired words: the search finds them") {
  CHECK(retired_in("which Card, as nvidia-smi counts").size() == 1);
  CHECK(retired_in("the share of the time").size() == 1);
  CHECK(retired_in("discarded, a shared library, cardinality").empty());
  CHECK(literals_of("f(\"a \\\"card\\\"\"); // \"share\"\nchar c = '\"'; g(\"x\");") == "a \"card\"\nx\n");
}

TEST_CASE("no retired word in any command's help") {
  for (const std::string& command : test::all_commands()) {
    CAPTURE(command);
    // Flags and names of files are no words.
    const std::string text =
        std::regex_replace(test::help_of(command), std::regex("--[a-z-]+|\\.laban-packets"), "");
    for (const std::string& found : retired_in(text)) FAIL_CHECK(found);
  }
}

TEST_CASE("no retired word in what the program prints") {
  // Where such a word is a term of the field, a key of a file, or a verb.
  struct Allowed {
    const char *where, *word;
  };
  constexpr Allowed kAllowed[] = {{"src/data/", "packet"},
                                  {"src/data/dataset/clip_files.cpp", "validate"},
                                  {"src/data/dataset/split_names.cpp", "validate"},
                                  {"src/data/picture/image_folder.cpp", "'colour'"},  // series' names
                                  {"tools/commands/preview.cpp", "'card'"},
                                  {"src/train/report/", "'card'"},
                                  {"src/cuda/conv/plan_file.cpp", "'cards'"},
                                  {"src/layers/parameter.cpp", "'share'"},
                                  {"src/cpu/cpu_backend.cpp", "'share'"},
                                  {"src/train/report/charts.cpp", "'share'"},
                                  {"tools/commands/man.cpp", "/usr/local/share"}};
  const fs::path root = LABAN_SOURCE_DIR;
  for (const char* folder : {"tools", "src"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      const std::string file = entry.path().lexically_relative(root).generic_string();
      CAPTURE(file);
      // Names of files in #include are no words, and neither are flags, keys of JSON or names with underscores.
      const std::string source =
          std::regex_replace(read_file(entry.path()), std::regex("#include[^\n]*"), "");
      const std::string literals =
          std::regex_replace(literals_of(source), std::regex("[a-z0-9]+([-_][a-z0-9]+)+"), "");
      for (const std::string& found : retired_in(literals))
        if (std::ranges::none_of(kAllowed, [&](const Allowed& allowed) {
              return file.starts_with(allowed.where) && found.find(allowed.word) != std::string::npos;
            }))
          FAIL_CHECK(found);
    }
}
