// Touches every module of the installed library.
#include <cstdio>
#include <string>

#include "core/error.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "data/dataset/dataset.h"
#include "data/video/video.h"
#include "models/families.h"
#include "models/network.h"
#include "reference/check_backend.h"
#include "train/trainer.h"
#include "weights/load.h"

int main() {
  using namespace laban;
  CpuBackend backend;
  Network network(backend, DType::f32, model_by_name("r2plus1d_18", 400));
  std::printf("r2plus1d_18: %lld parameters\n", static_cast<long long>(network.store().parameter_count()));
  // Linked, at least: video, weights and the training loop.
  try {
    (void)index_video("no such file");
    return 1;
  } catch (const FileError&) {
  }
  try {
    (void)make_cuda_backend({.gpu = 1000});
    return 1;
  } catch (const Error&) {
  }
  return out_of_patience(Config{}, TrainingState{}) ? 1 : 0;
}
