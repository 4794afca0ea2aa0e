// Other people's video models, known by the names of their tensors.
#pragma once

#include <string>

#include "weights/state_dict.h"

namespace laban {

/// Which published model a file is like, for a sentence, with the tensor by which it was recognized: "SlowFast, as
/// in PySlowFast (it has 's1.pathway1_stem.conv.weight')". Empty where it is like none that is known. To be asked
/// about files that fit none of laban's models.
std::string foreign_model(const StateDict& state);

}  // namespace laban
