// Errors that a person can act on.
//
// Every error says WHAT was wrong (with the values), WHERE (file, layer, flag), and WHAT TO DO.
// Library exceptions (libav, JSON, TOML, ...) are caught where they arise and turned into
// one of these; none reaches a user bare.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace laban {

class Error : public std::runtime_error {
 public:
  /// `what`: one sentence, what was wrong and with which values. `advice`: what to do; may be empty.
  explicit Error(const std::string& what, std::string advice = "")
      : std::runtime_error(advice.empty() ? what : what + "\n  " + advice), advice_(std::move(advice)) {}

  const std::string& advice() const { return advice_; }
  /// what() without the advice.
  std::string sentence() const {
    const std::string all = what();
    return advice_.empty() ? all : all.substr(0, all.size() - advice_.size() - 3);
  }
  /// what() for places that have no lines.
  std::string on_one_line() const { return advice_.empty() ? what() : sentence() + ". " + advice_; }

 private:
  std::string advice_;
};

/// The text on one line: line ends, tabs and other control characters as \n, \t, \x1b. File names may hold
/// anything, and a terminal obeys what it is sent.
inline std::string visible(std::string_view raw) {
  std::string result;
  for (const char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      result += c;
    } else if (c == '\n' || c == '\t') {
      result += c == '\n' ? "\\n" : "\\t";
    } else {
      constexpr std::string_view kDigits = "0123456789abcdef";
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result;
}

/// The user's data is at fault (a file that does not decode, a bad annotation): carries the file's name,
/// so that a policy (stop, or leave out and report) can be applied to it.
class FileError : public Error {
 public:
  FileError(std::string file, const std::string& what, std::string advice = "")
      : Error(visible(file) + ": " + what, std::move(advice)), file_(std::move(file)) {}

  const std::string& file() const { return file_; }

 private:
  std::string file_;
};

/// Command line or configuration at fault. The program exits with 2 instead of 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// Concatenates its arguments as an ostream would print them: text("got ", 3, " of ", shape).
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// A broken contract inside the program (a programmer's mistake, not a user's).
inline void require(bool condition, std::string_view what) {
  if (!condition) throw std::logic_error(std::string(what));
}

}  // namespace laban
