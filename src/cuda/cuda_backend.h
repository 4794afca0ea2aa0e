// The door to CUDA. A build without it links absent.cpp, whose maker explains itself; there are no #ifdefs
// elsewhere.
#pragma once

#include <memory>

#include "core/backend.h"

namespace laban {

/// True where this program carries a CUDA backend.
bool cuda_is_built();
/// Throws Error where there is no CUDA in this build.
std::unique_ptr<Backend> make_cuda_backend();

}  // namespace laban
