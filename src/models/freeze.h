// Which parts of a network are trained: fine-tuning can leave layers that extract general features unchanged.
#pragma once

#include "layers/parameter.h"
#include "models/freeze_settings.h"

namespace laban {

/// Marks what is frozen, and everything else as trainable. Throws UsageError if there is no layer of that
/// name, or if nothing would be left to train.
void freeze(const ParameterList& list, const FreezeSettings& settings);

}  // namespace laban
