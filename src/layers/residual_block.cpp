#include "layers/residual_block.h"

namespace laban {

ResidualBlock::ResidualBlock(std::string name, std::unique_ptr<Layer> main, std::unique_ptr<BatchNorm3d> last,
                             std::unique_ptr<Layer> shortcut)
    : Layer(std::move(name)), main_(std::move(main)), last_(std::move(last)), shortcut_(std::move(shortcut)) {
  require(main_ && last_, "ResidualBlock: needs a main path and its last batch norm");
}

Value ResidualBlock::forward(StepContext& ctx, const Value& x) {
  const Value shortcut = shortcut_ ? shortcut_->forward(ctx, x) : x;
  if (!saves(ctx)) return main_->forward_normalized(ctx, x, *last_, shortcut);
  const Value h = main_->forward(ctx, x);
  const bool input_gradient = ctx.input_gradient;
  ctx.input_gradient = input_gradient || main_->trainable() || (shortcut_ && shortcut_->trainable());
  Value y = last_->forward_add(ctx, h, shortcut);
  ctx.input_gradient = input_gradient;
  return y;
}

Value ResidualBlock::backward(StepContext& ctx, Value dy, bool need_dx) {
  auto [dh, g] = last_->backward_add(ctx, std::move(dy));
  if (shortcut_ && (need_dx || shortcut_->trainable())) g = shortcut_->backward(ctx, std::move(g), need_dx);
  if (need_dx) return main_->backward_onto(ctx, std::move(dh), std::move(g));
  if (main_->trainable()) main_->backward(ctx, std::move(dh), false);
  return {};
}

bool ResidualBlock::trainable() const {
  return main_->trainable() || last_->trainable() || (shortcut_ && shortcut_->trainable());
}

void ResidualBlock::clear_saved() {
  main_->clear_saved();
  last_->clear_saved();
  if (shortcut_) shortcut_->clear_saved();
}

Shape ResidualBlock::output_shape(const Shape& x) const {
  const Shape y = last_->output_shape(main_->output_shape(x));
  const Shape shortcut = shortcut_ ? shortcut_->output_shape(x) : x;
  if (shortcut != y)
    throw Error(text(name(), ": the main path gives ", y, ", but the shortcut gives ", shortcut),
                "Use more frames (--frames) or a larger size (--size).");
  return y;
}

void ResidualBlock::collect(ParameterList& list) {
  main_->collect(list);
  last_->collect(list);
  if (shortcut_) shortcut_->collect(list);
}

void ResidualBlock::describe(const Shape& x, std::vector<LayerRow>& rows) const {
  output_shape(x);
  main_->describe(x, rows);
  last_->describe(main_->output_shape(x), rows);
  rows.back().kind = "batch norm, add, relu";
  if (!shortcut_) return;
  const size_t first = rows.size();
  shortcut_->describe(x, rows);
  for (size_t i = first; i < rows.size(); ++i) rows[i].on_main_path = false;
}

int ResidualBlock::trace(Graph& graph, int x) const {
  const int shortcut = shortcut_ ? shortcut_->trace(graph, x) : x;
  return last_->trace_add(graph, main_->trace(graph, x), shortcut);
}

}  // namespace laban
