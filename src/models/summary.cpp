#include "models/summary.h"

#include "models/builder.h"

namespace laban {

Summary summarize(const ModelSpec& spec, const Shape& clips) {
  std::vector<LayerRow> rows;
  const auto body = build_layers(spec);
  body->output_shape(clips);
  body->describe(clips, rows);

  Summary summary;
  // Araujo et al. 2019: r_l = r_{l-1} + (k_l - 1) j_{l-1}, j_l = j_{l-1} s_l, with j the distance in the clip
  // between adjacent positions of a layer's output.
  std::array<int64_t, 3> field{1, 1, 1}, jump{1, 1, 1};
  for (LayerRow& row : rows) {
    summary.parameters += row.parameters;
    summary.macs += row.macs;
    summary.activations += row.activations;
    if (row.on_main_path) {
      for (size_t axis = 0; axis < 3; ++axis) {
        field[axis] += (row.window.kernel[axis] - 1) * jump[axis];
        jump[axis] *= row.window.stride[axis];
      }
    }
    const bool shown = row.on_main_path;
    summary.rows.push_back({std::move(row), shown ? field : std::array<int64_t, 3>{0, 0, 0}});
  }
  return summary;
}

}  // namespace laban
