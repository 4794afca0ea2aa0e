#include "train/config/renamed.h"

#include <array>

namespace laban {

std::span<const RenamedSetting> renamed_settings() {
  static constexpr std::array kRenamed{
      RenamedSetting{"data", "frames_named", "filename_pattern", "frames-named", "filename-pattern"},
      RenamedSetting{"data", "train_share", "train_fraction", "train-share", "train-fraction"},
      RenamedSetting{"data", "validate_share", "val_fraction", "validate-share", "val-fraction"},
      RenamedSetting{"data", "packet_cache", "index_cache", "packet-cache", "index-cache"},
  };
  return kRenamed;
}

}  // namespace laban
