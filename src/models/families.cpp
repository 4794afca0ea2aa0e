#include "models/families.h"

#include "core/error.h"
#include "core/text.h"

namespace laban {
namespace {

std::vector<ModelSpec> all_models() {
  std::vector<ModelSpec> all;
  for (const auto family : {r3d_family, mc3_family, r2plus1d_family, resnet3d_family})
    for (ModelSpec& spec : family()) all.push_back(std::move(spec));
  return all;
}

}  // namespace

ModelSpec with_blocks(ModelSpec spec, std::string name, const std::vector<int>& blocks, BlockKind block) {
  require(blocks.size() == spec.stages.size(), "with_blocks: needs one number per stage");
  spec.name = std::move(name);
  spec.block = block;
  for (size_t i = 0; i < blocks.size(); ++i) spec.stages[i].blocks = blocks[i];
  return spec;
}

ModelSpec model_by_name(std::string_view name, int64_t classes) {
  if (classes < 1) throw UsageError(text("a classifier needs at least one class, got ", classes));
  for (ModelSpec& spec : all_models()) {
    if (spec.name == name) {
      spec.classes = classes;
      return spec;
    }
  }
  throw UsageError(text("there is no model called \"", name, "\""),
                   "Available: " + join(model_names()) + ".");
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelSpec& spec : all_models()) names.push_back(spec.name);
  return names;
}

}  // namespace laban
