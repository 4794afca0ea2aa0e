// How ops on a GPU cut their scratch.
#pragma once

#include "core/scratch_cutter.h"

namespace laban::cuda {

/// 256 bytes: what cuDNN and cuBLAS like.
using ScratchCutter = AlignedCutter<256>;

}  // namespace laban::cuda
