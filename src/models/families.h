// The model families by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/model_spec.h"

namespace laban {

/// "r3d_18", "mc3_18", "r2plus1d_34", "resnet3d_50", ... and small members of the same families:
/// "r2plus1d_tiny", ... with torchvision's midplanes and shortcut B, which the caller may change.
/// Throws UsageError listing the known names.
ModelSpec model_by_name(std::string_view name, int64_t classes);
std::vector<std::string> model_names();

// The families, one file each: their members as in the tables of the papers.
std::vector<ModelSpec> r3d_family();
std::vector<ModelSpec> mc3_family();
std::vector<ModelSpec> r2plus1d_family();
std::vector<ModelSpec> resnet3d_family();

/// The same network with different numbers of blocks in its stages.
ModelSpec with_blocks(ModelSpec spec, std::string name, const std::vector<int>& blocks,
                      BlockKind block = BlockKind::basic);

}  // namespace laban
