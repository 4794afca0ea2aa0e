// Which split a name means: of a folder, of a list, or in a table's split column.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset/split.h"

namespace laban {

/// What a name says. `eval` is validation in some datasets and test in others: see settle(). `several`: names that
/// contain more than one, "trainval".
enum class SplitWord : uint8_t { train, val, test, eval, several };

/// The words of a name, in lower case: "kinetics_trainList01" -> kinetics, train, list, 01.
std::vector<std::string> words_of(std::string_view name);

/// For a name that is such a word as a whole, in any case, spaces around it ignored: "Train", "VALIDATION", "dev".
std::optional<SplitWord> split_word(std::string_view name);
/// For a name that contains such words among others: "train_256", "kinetics400-val", "TestSet".
std::optional<SplitWord> split_word_in(std::string_view name);
/// The name in lower case with the split word replaced by *: the same for "train_256" and "Val_256".
std::string without_split_word(std::string_view name);

/// The split that a word means beside all words in use: eval is test beside val, and val beside test. Nothing if
/// that leaves it open, and for `several`.
std::optional<Split> settle(SplitWord word, std::span<const SplitWord> all);

/// The split in a table's cell, by split_word(); eval as beside the other cells. FileError(where) if it is none.
Split split_in_cell(const std::string& cell, std::span<const SplitWord> all, const std::string& where);
/// Those of the cells that are split words.
std::vector<SplitWord> split_words(std::span<const std::string> cells);

}  // namespace laban
