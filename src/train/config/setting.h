// One setting of a Config as the table of all settings describes it: where it is kept, what it is called, which
// values it takes, and what it is for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "data/clip/geometry.h"

namespace laban {

struct Config;

/// What a setting is for. Which flags a command offers, what --resume accepts and what an exported file notes
/// follow from these.
enum class Role : uint8_t {
  dataset,       // describes the dataset and its split
  loading,       // how files are read; changes no clip
  sampling,      // which frames make a clip
  picture,       // what the network sees of a frame, in evaluation too
  augmentation,  // how training clips are varied
  preset,        // sets several others
  network,       // which network the weights belong to
  training,      // how the weights are trained
  machine,       // where and in which precision to compute
  resume,        // may change when a run is resumed
  inference,     // may differ from the checkpoint's when a trained network is used
};

class Roles {
 public:
  constexpr Roles() = default;
  constexpr Roles(Role role) : bits_(1u << static_cast<unsigned>(role)) {}
  /// Is any of `others` among these?
  constexpr bool any(Roles others) const { return (bits_ & others.bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr Roles operator|(Roles a, Roles b) {
    a.bits_ |= b.bits_;
    return a;
  }

 private:
  unsigned bits_ = 0;
};

constexpr Roles operator|(Role a, Role b) { return Roles(a) | Roles(b); }

/// One field of a Config. Bounds are inclusive.
struct Setting {
  struct Flag {
    bool* target;
  };
  struct Whole {
    std::variant<int*, int64_t*, uint64_t*> target;
    int64_t low, high;
    int64_t get() const;
    void set(int64_t value) const;
  };
  struct Number {
    double* target;
    double low, high;
  };
  /// Free text; `choices`: what it may be, where not everything is allowed.
  struct Word {
    std::variant<std::string*, std::filesystem::path*> target;
    std::vector<std::string> choices;
    std::string get() const;
    void set(const std::string& value) const;
  };
  /// An enumeration, by its words (train/config/words.h).
  struct Choice {
    std::vector<std::string> words;
    std::function<size_t()> get;
    std::function<void(size_t)> set;
  };
  struct Numbers {
    std::variant<std::vector<double>*, std::span<double>, std::span<float>> target;
    double low, high;
    /// How many there must be; 0: any number.
    size_t count() const;
    void set(const std::vector<double>& values) const;
  };
  /// A picture's size: one number for a square, or "HEIGHTxWIDTH". Both sides must lie within the bounds.
  struct Size {
    PictureSize* target;
    int low, high;
  };
  struct Words {
    std::vector<std::string>* target;
  };
  struct Scales {
    std::map<std::string, double>* target;
  };

  std::string section, key;  // [section] key = ... in TOML
  std::string flag;          // "--lr" without the dashes
  Roles roles;
  std::string help;  // a noun phrase; neither default nor range
  std::variant<Flag, Whole, Number, Word, Choice, Numbers, Size, Words, Scales> value;
  std::string default_toml{};  // the value in Config{}; filled in by settings()

  std::string name() const { return section + "." + key; }
  /// The value as TOML: 0.01, "cosine", [1.0, 2.0], true.
  std::string toml() const;
  /// The value as a flag takes it: 0.01, cosine, 1.0,2.0, true. Empty for empty text and lists.
  std::string plain() const;
  /// The default as a flag takes it.
  std::string default_text() const;
  /// Which values there are: "1 to 4096", "at least 0", "sgd, adam or adamw"; empty where the help says it all.
  std::string range() const;
  /// For --help and TOML comments: the help and, unless it names them all, the values: "frames per clip (1 to 4096)".
  std::string description() const;
  /// The words to choose from; empty where it is no choice.
  std::vector<std::string> choices() const;
  /// Sets the value from text, as from a command line. `origin` begins an error's sentence: "--lr".
  void assign(const std::string& text, const std::string& origin) const;
};

/// Every field, in the order of the TOML file; the pointers reach into `config`.
std::vector<Setting> settings(Config& config);

/// The flags (without dashes) of the settings with any of these roles and none of `except`.
std::vector<std::string> flags_with(Roles roles, Roles except = {});
/// The flags of the settings in one section.
std::vector<std::string> flags_in(const std::string& section);
/// The roles of a flag's setting; none for a flag that is no setting's.
Roles roles_of(const std::string& flag);

/// Values in range, or a UsageError that begins with `origin`.
int64_t in_range(const std::string& origin, int64_t value, int64_t low, int64_t high);
double in_range(const std::string& origin, double value, double low, double high);
/// Factors of learning rates.
double scale_in_range(const std::string& origin, double value);
[[noreturn]] void wrong_kind(const std::string& origin, const std::string& wanted);
/// Sets a word, a choice or a list of numbers after validating it.
void assign_word(const Setting::Word& to, const std::string& value, const std::string& origin);
void assign_choice(const Setting::Choice& to, const std::string& value, const std::string& origin);
void assign_size(const Setting::Size& to, const std::string& value, const std::string& origin);
void assign_numbers(const Setting::Numbers& to, std::vector<double> values, const std::string& origin);

/// docs/settings.md: all settings, section by section, as Markdown.
std::string settings_markdown();

}  // namespace laban
