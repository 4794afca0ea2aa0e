// Prints what cuDNN offers for the convolutions of some models on an H200, in bf16, as a table for
// docs/measurements/cudnn-support.md. Not a test; skipped unless it is asked for:
//
//   ctest -R '^cuda$' makes the driver's stub visible; by hand, from the build folder:
//   LD_LIBRARY_PATH=$PWD/stub-driver ./laban_test_cuda --no-skip -tc="print: cuDNN's engines"
#include <doctest/doctest.h>

#include <cstdio>

#include "conv_collector.h"
#include "cuda_fixture.h"
#include "models/families.h"
#include "models/network.h"

using namespace laban;
using namespace laban::cuda;
using namespace laban::test;

namespace {

/// "32", or "3 c" where the first is compiled at run time and compiles here, "3 !" where it does not.
/// Compiling takes a second or so.
std::string offer(const DeviceProperties& device, ConvPass pass, const ConvGeometry& geometry,
                  ConvEpilogue epilogue, bool deterministic) {
  const ConvGraph graph({pass, geometry, MathMode::bf16, epilogue, deterministic}, device);
  std::vector<EngineConfig> found = engines(graph, device, Search::thorough);
  if (found.empty() || !found.front().notes.compiled) return std::to_string(found.size());
  // Without a GPU the last step, loading what NVRTC has compiled, must fail: so far it may come.
  std::string why;
  const bool works = Plan::make(std::move(found.front()), device, &why).has_value() ||
                     why.find("cuLibraryLoadData") != std::string::npos;
  return text(found.size(), works ? " c" : " !");
}

}  // namespace

TEST_CASE("print: cuDNN's engines" * doctest::skip()) {
  if (!cudnn_can_load()) return;
  const DeviceProperties device = h200();
  for (const char* name : {"r3d_18", "r2plus1d_18", "resnet3d_50"}) {
    ConvCollector collector(true);
    Network network(collector, DType::bf16, model_by_name(name, 400));
    network.planned_bytes({32, 3, 16, 112, 112}, Mode::train);
    std::printf("\n%s, 32 clips of 16 x 112 x 112\n\n", name);
    std::printf("| convolution | as | forward | data | weights | exact weights |\n");
    std::printf("|---|---|---|---|---|---|\n");
    for (const CollectedConv& conv : collector.convolutions()) {
      if (conv.pass != CollectedConv::Pass::forward) continue;
      const ConvGeometry flat = folded(conv.geometry);
      std::vector<ConvGeometry> forms{conv.geometry};
      if (!(flat == conv.geometry)) forms.push_back(flat);
      for (const ConvGeometry& form : forms) {
        using enum ConvPass;
        using enum ConvEpilogue;
        const std::string row =
            text("| ", form.x, " -> ", form.y.c, ", ", form.window, " | ", is_planar(form) ? "4-D" : "5-D",
                 " | ", offer(device, forward, form, none, true), " | ",
                 offer(device, data, form, none, true), " | ", offer(device, weights, form, none, true),
                 " | ", offer(device, weights, form, accumulate, true), " |\n");
        std::fputs(row.c_str(), stdout);
        std::fflush(stdout);
      }
    }
  }
}
