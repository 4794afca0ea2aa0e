// Words that laban once used and does not use any more, each with the one that stands for it now. Help and
// errors are searched for them.
#pragma once

namespace laban::test {

struct RetiredWord {
  const char* pattern;  // an ECMAScript regular expression, for lower-case text, between word boundaries
  const char* instead;
};

constexpr RetiredWord kRetiredWords[] = {
    {"cards?", "GPU"},
    {"rooms?", "module"},
    {"shares?", "fraction"},
    {"learns|learn", "trainable, frozen"},
    {"drawn anew|draws anew|drawn", "random"},
    {"packets?", "video index"},
    {"validate", "val, as a split"},
    {"colours?|coloured", "color"},
    {"grey", "gray"},
    {"centres?|centred", "center"},
    {"data sets?", "dataset"},
    {"goes on|go on|going on", "continue, resume"},
    {"found by looking", "detect"},
    {"begins? with the weights", "initialize from"},
    {"which gpu|which model are", "GPU index, model name"},
    {"near to it|known are", "Did you mean, Available"},
    {"nobody|somebody", "say who, or use the passive"},
};

}  // namespace laban::test
