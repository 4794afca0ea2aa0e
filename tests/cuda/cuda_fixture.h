// What the tests of src/cuda share: a GPU that is only described, and whether cuDNN can be loaded here.
#pragma once

#include "cuda/conv/cudnn_plan.h"

namespace laban::test {

/// cuDNN wants a libcuda.so.1 to load, a driver's or the toolkit's stub. Prints a line where there is none.
bool cudnn_can_load();
/// From h200-device.json.
cuda::DeviceProperties h200();

}  // namespace laban::test
