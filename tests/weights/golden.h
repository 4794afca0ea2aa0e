// Expected values from PyTorch and torchvision: tests/golden, written by tools/torch/compare_torch.py
// --golden.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/network.h"

namespace laban::test {

std::filesystem::path golden_folder();
nlohmann::json golden(const std::string& file);

/// The values of tools/torch/torch_golden.py's formula: evenly spread over [-0.5, 0.5), no two names alike.
std::vector<double> formula(const std::string& name, int64_t count);

/// A network of the file's model, its weights from the formula.
ModelSpec golden_spec(const nlohmann::json& file);
void fill_by_formula(Network& network);

/// Clips by the formula and their labels, as a network wants them.
struct GoldenBatch {
  explicit GoldenBatch(const nlohmann::json& file);
  Shape shape;
  std::vector<double> clips, dclips;  // n, t, h, w, c
  std::vector<int32_t> labels;
  Tensor clips_tensor() { return Tensor(clips.data(), shape); }
  Tensor dclips_tensor() { return Tensor(dclips.data(), shape); }
  /// dclips as PyTorch has it: n, c, t, h, w.
  std::vector<double> dclips_as_torch() const;
};

constexpr double kGoldenSmoothing = 0.1;

/// Element by element, to 1e-10 (absolute and relative).
void check_close(const std::vector<double>& got, const nlohmann::json& want);
/// A tensor's norm and its product with formula(name + "?"), to 1e-9 of its norm. (A gradient may be zero by
/// the rules of calculus, and then rounding is all there is of it.)
void check_projections(const std::string& name, const std::vector<double>& got, const nlohmann::json& want);

}  // namespace laban::test
