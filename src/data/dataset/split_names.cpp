#include "data/dataset/split_names.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.h"

namespace laban {
namespace {

struct Meaning {
  std::string_view word;
  SplitWord split;
};
constexpr std::array kMeanings{
    Meaning{"train", SplitWord::train},
    Meaning{"training", SplitWord::train},
    Meaning{"val", SplitWord::val},
    Meaning{"valid", SplitWord::val},
    Meaning{"validation", SplitWord::val},
    Meaning{"validate", SplitWord::val},
    Meaning{"dev", SplitWord::val},
    Meaning{"devel", SplitWord::val},
    Meaning{"development", SplitWord::val},
    Meaning{"test", SplitWord::test},
    Meaning{"testing", SplitWord::test},
    Meaning{"eval", SplitWord::eval},
    Meaning{"evaluation", SplitWord::eval},
    Meaning{"trainval", SplitWord::several},
    Meaning{"trainvalidation", SplitWord::several},
    Meaning{"valtest", SplitWord::several},
    Meaning{"traintest", SplitWord::several},
};
// "trainset", "testlist": written in one word, too.
constexpr std::array<std::string_view, 6> kEndings{"", "set", "list", "split", "data", "ing"};

std::optional<SplitWord> meaning_of(std::string_view word) {
  for (const Meaning& known : kMeanings)
    for (const std::string_view ending : kEndings)
      if (word.size() == known.word.size() + ending.size() && word.starts_with(known.word) &&
          word.ends_with(ending))
        return known.split;
  return std::nullopt;
}

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Calls visit(begin, end) for each word of a name.
template <class Visit>
void for_each_word(std::string_view name, Visit visit) {
  const auto kind = [](char c) { return is_digit(c) ? 1 : is_upper(c) || is_lower(c) ? 2 : 0; };
  for (size_t at = 0; at < name.size();) {
    if (kind(name[at]) == 0) {
      ++at;
      continue;
    }
    size_t end = at + 1;
    while (end < name.size() && kind(name[end]) == kind(name[at]) &&
           !(is_lower(name[end - 1]) && is_upper(name[end])))
      ++end;
    visit(at, end);
    at = end;
  }
}

std::string lower(std::string_view name) {
  std::string all(name);
  for (char& c : all)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return all;
}

}  // namespace

std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  for_each_word(name,
                [&](size_t begin, size_t end) { words.push_back(lower(name.substr(begin, end - begin))); });
  return words;
}

std::optional<SplitWord> split_word(std::string_view name) {
  constexpr std::string_view kSpaces = " \t\r";
  const size_t first = name.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return std::nullopt;
  return meaning_of(lower(name.substr(first, name.find_last_not_of(kSpaces) - first + 1)));
}

std::optional<SplitWord> split_word_in(std::string_view name) {
  std::optional<SplitWord> found;
  for (const std::string& word : words_of(name)) {
    const std::optional<SplitWord> here = meaning_of(word);
    if (here && found && *here != *found) return SplitWord::several;
    if (here) found = here;
  }
  return found;
}

std::string without_split_word(std::string_view name) {
  std::string all;
  size_t done = 0;
  for_each_word(name, [&](size_t begin, size_t end) {
    if (!meaning_of(lower(name.substr(begin, end - begin)))) return;
    all += lower(name.substr(done, begin - done)) + "*";
    done = end;
  });
  return all + lower(name.substr(done));
}

std::optional<Split> settle(SplitWord word, std::span<const SplitWord> all) {
  const auto there = [&](SplitWord other) { return std::ranges::find(all, other) != all.end(); };
  switch (word) {
    case SplitWord::train:
      return Split::train;
    case SplitWord::val:
      return Split::val;
    case SplitWord::test:
      return Split::test;
    case SplitWord::eval:
      if (there(SplitWord::val) == there(SplitWord::test)) return std::nullopt;
      return there(SplitWord::val) ? Split::test : Split::val;
    case SplitWord::several:
      return std::nullopt;
  }
  return std::nullopt;
}

Split split_in_cell(const std::string& cell, std::span<const SplitWord> all, const std::string& where) {
  const std::optional<SplitWord> word = split_word(cell);
  const std::optional<Split> split = word ? settle(*word, all) : std::nullopt;
  if (!split)
    throw FileError(where, text("the split is \"", cell, "\""),
                    word == SplitWord::eval ? "That may be validation or test: write val or test."
                                            : "It must be train, val or test.");
  return *split;
}

std::vector<SplitWord> split_words(std::span<const std::string> cells) {
  std::vector<SplitWord> words;
  for (const std::string& cell : cells)
    if (const auto word = split_word(cell); word && std::ranges::find(words, *word) == words.end())
      words.push_back(*word);
  return words;
}

}  // namespace laban
