// Settings that had another name in the version before. Files and command lines that use it are still read, with
// a note; the next version drops this table's entries.
#pragma once

#include <span>
#include <string>

namespace laban {

struct RenamedSetting {
  const char* section;
  const char *old_key, *key;    // in TOML
  const char *old_flag, *flag;  // without dashes
};
std::span<const RenamedSetting> renamed_settings();

}  // namespace laban
