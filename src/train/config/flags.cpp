// A Config from command-line flags.
#include <algorithm>

#include "core/error.h"
#include "core/nearest_names.h"
#include "train/config/config.h"

namespace laban {

void apply_flag(Config& config, const std::string& flag, const std::string& value) {
  std::vector<std::string> known;
  for (const Setting& setting : settings(config)) {
    if (setting.flag == flag) {
      setting.assign(value, "--" + flag);
      if (flag == "preset") apply_preset(config);
      return;
    }
    known.push_back(setting.flag);
  }
  throw UsageError("there is no flag --" + flag, did_you_mean(flag, known));
}

}  // namespace laban
