// The classifier and its loss.
#include <cmath>

#include "support/op_cases.h"

namespace laban::test::cases {
namespace {

void add_linear(std::vector<OpCase>& table, int64_t rows, int64_t in, int64_t out, bool with_bias) {
  const std::string name = text(rows, " x ", in, " -> ", out, with_bias ? " with bias" : "");
  const Shape x = Shape::matrix(rows, in), y = Shape::matrix(rows, out), w = Shape::matrix(out, in);
  const Fill weights = normal(1 / std::sqrt(static_cast<double>(in)));
  table.push_back({"linear.forward: " + name, [=](OpRig& rig) {
                     LinearForward op;
                     op.x = rig.in("x", x, rig.compute(), normal());
                     op.w = rig.in("w", w, rig.compute(), weights);
                     if (with_bias) op.bias = rig.in("bias", Shape::vector(out), rig.master(), normal());
                     op.y = rig.out("y", y, rig.master());
                     rig.run(op);
                   }});
  table.push_back({"linear.backward_data: " + name, [=](OpRig& rig) {
                     LinearBackwardData op;
                     op.dy = rig.in("dy", y, rig.master(), normal());
                     op.w = rig.in("w", w, rig.compute(), weights);
                     op.dx = rig.out("dx", x, rig.compute());
                     rig.run(op);
                   }});
  table.push_back({"linear.backward_weights: " + name, [=](OpRig& rig) {
                     LinearBackwardWeights op;
                     op.x = rig.in("x", x, rig.compute(), normal());
                     op.dy = rig.in("dy", y, rig.master(), normal());
                     op.dw = rig.inout("dw", w, rig.master(), normal());
                     if (with_bias) op.dbias = rig.inout("dbias", Shape::vector(out), rig.master(), normal());
                     rig.run(op);
                   }});
}

void add_loss(std::vector<OpCase>& table, int64_t rows, int64_t classes, double smoothing, double spread,
              bool training) {
  const std::string name = text(rows, " x ", classes, " smoothing ", smoothing, ", logits of std ", spread,
                                training ? "" : ", evaluation");
  table.push_back({"cross_entropy: " + name, [=](OpRig& rig) {
                     SoftmaxCrossEntropy op;
                     op.logits = rig.in("logits", Shape::matrix(rows, classes), rig.master(), normal(spread));
                     op.labels = rig.in("labels", Shape::vector(rows), DType::i32, integers(0, classes - 1));
                     op.loss = rig.out("loss", Shape::vector(rows), rig.master());
                     if (training)
                       op.dlogits = rig.out("dlogits", Shape::matrix(rows, classes), rig.master());
                     op.smoothing = smoothing;
                     op.scale = 1.0 / static_cast<double>(rows);
                     rig.run(op);
                   }});
  table.push_back({text("softmax: ", rows, " x ", classes, ", logits of std ", spread), [=](OpRig& rig) {
                     Softmax op;
                     op.logits = rig.in("logits", Shape::matrix(rows, classes), rig.master(), normal(spread));
                     op.probabilities = rig.out("probabilities", Shape::matrix(rows, classes), rig.master());
                     rig.run(op);
                   }});
}

/// Mixed clips: two labels each, the second sometimes the first again.
void add_mixed_loss(std::vector<OpCase>& table, int64_t rows, int64_t classes, double smoothing,
                    bool weighted = false) {
  table.push_back({text("cross_entropy: ", rows, " x ", classes, " smoothing ", smoothing, ", mixed",
                        weighted ? ", class weights" : ""),
                   [=](OpRig& rig) {
                     SoftmaxCrossEntropy op;
                     op.logits = rig.in("logits", Shape::matrix(rows, classes), rig.master(), normal(2));
                     op.labels = rig.in("labels", Shape::vector(rows), DType::i32, integers(0, classes - 1));
                     op.other_labels =
                         rig.in("other labels", Shape::vector(rows), DType::i32, integers(0, classes - 1));
                     op.fraction = rig.in("fraction", Shape::vector(rows), rig.master(), uniform(0, 1));
                     if (weighted)
                       op.class_weights =
                           rig.in("class weights", Shape::vector(classes), rig.master(), uniform(0, 5));
                     op.loss = rig.out("loss", Shape::vector(rows), rig.master());
                     op.dlogits = rig.out("dlogits", Shape::matrix(rows, classes), rig.master());
                     op.smoothing = smoothing;
                     op.scale = 1.0 / static_cast<double>(rows);
                     rig.run(op);
                   }});
}

}  // namespace

void add_linear_and_loss(std::vector<OpCase>& table) {
  add_linear(table, 3, 512, 10, true);
  add_linear(table, 1, 45, 400, true);
  add_linear(table, 5, 230, 3, false);
  add_linear(table, 1, 1, 1, true);
  add_loss(table, 8, 10, 0, 1, true);
  add_loss(table, 3, 400, 0.1, 3, true);
  add_loss(table, 1, 2, 0.1, 1, true);
  add_loss(table, 4, 10, 0.1, 100, true);  // exponentials overflow unless the maximum is taken out first
  add_loss(table, 5, 16, 0, 1, false);
  add_mixed_loss(table, 9, 3, 0);
  add_mixed_loss(table, 3, 70, 0.1);
  add_mixed_loss(table, 5, 70, 0.1, true);
  add_mixed_loss(table, 4, 3, 0, true);
}

}  // namespace laban::test::cases
