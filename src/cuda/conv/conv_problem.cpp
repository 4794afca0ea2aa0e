#include "cuda/conv/conv_problem.h"

#include <algorithm>

namespace laban::cuda {

std::string_view name_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return "forward";
    case ConvPass::data:
      return "data";
    case ConvPass::weights:
      break;
  }
  return "weights";
}

std::array<int64_t, 23> ConvProblem::key() const {
  std::array<int64_t, 23> all{static_cast<int64_t>(pass), static_cast<int64_t>(math),
                              static_cast<int64_t>(epilogue), deterministic};
  const auto numbers = geometry.key();
  std::copy(numbers.begin(), numbers.end(), all.begin() + 4);
  return all;
}

std::ostream& operator<<(std::ostream& out, const ConvProblem& problem) {
  const ConvGeometry& g = problem.geometry;
  out << name_of(problem.pass) << ' ' << g.x << " -> " << g.y << ", " << g.window << ", "
      << name_of(problem.math);
  if (problem.epilogue == ConvEpilogue::accumulate) out << ", accumulate";
  return out << (problem.deterministic ? ", deterministic" : "");
}

bool adds_by_itself(const ConvProblem& problem) {
  return problem.pass == ConvPass::data || problem.math != MathMode::bf16;
}

}  // namespace laban::cuda
