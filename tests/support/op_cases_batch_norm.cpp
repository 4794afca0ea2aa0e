// Batch normalization in all its forms: statistics of the batch, running ones, constants; with the residual
// add and the ReLU fused in, and without.
#include "support/op_cases.h"

namespace laban::test::cases {
namespace {

// {n, c, t, h, w}
const Shape kShapes[] = {
    {2, 3, 3, 5, 7}, {1, 45, 2, 5, 5}, {3, 64, 2, 4, 3}, {2, 230, 1, 3, 5}, {1, 17, 1, 1, 1}};

struct Form {
  bool relu, residual;
};
const Form kForms[] = {{false, false}, {true, false}, {false, true}, {true, true}};

std::string describe(const Shape& shape, const Form& form) {
  return text(shape, form.residual ? " + residual" : "", form.relu ? " + relu" : "");
}

void add_train(std::vector<OpCase>& table, const Shape& shape, const Form& form, bool tracked,
               double offset) {
  const std::string name = describe(shape, form) + (tracked ? "" : ", running statistics not tracked") +
                           (offset != 0 ? text(", mean ", offset) : "");
  table.push_back({"batch_norm.train: " + name, [=](OpRig& rig) {
                     const Shape vector = Shape::vector(shape.c);
                     BatchNormTrain op;
                     op.x = rig.in("x", shape, rig.compute(), normal(1, offset));
                     if (form.residual) op.residual = rig.in("residual", shape, rig.compute(), normal());
                     op.y = rig.out("y", shape, rig.compute());
                     op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                     op.beta = rig.in("beta", vector, rig.master(), normal(0.3));
                     op.mean = rig.out("mean", vector, rig.master());
                     op.inv_std = rig.out("inv_std", vector, rig.master());
                     if (tracked) {
                       op.running_mean = rig.inout("running_mean", vector, rig.master(), normal());
                       op.running_var = rig.inout("running_var", vector, rig.master(), uniform(0.5, 2));
                     }
                     op.relu = form.relu;
                     rig.run(op);
                   }});
}

void add_infer(std::vector<OpCase>& table, const Shape& shape, const Form& form) {
  table.push_back({"batch_norm.infer: " + describe(shape, form), [=](OpRig& rig) {
                     const Shape vector = Shape::vector(shape.c);
                     BatchNormInfer op;
                     op.x = rig.in("x", shape, rig.compute(), normal());
                     if (form.residual) op.residual = rig.in("residual", shape, rig.compute(), normal());
                     op.y = rig.out("y", shape, rig.compute());
                     op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                     op.beta = rig.in("beta", vector, rig.master(), normal(0.3));
                     op.running_mean = rig.in("running_mean", vector, rig.master(), normal());
                     op.running_var = rig.in("running_var", vector, rig.master(), uniform(0.5, 2));
                     op.relu = form.relu;
                     rig.run(op);
                   }});
}

void add_backward(std::vector<OpCase>& table, const Shape& shape, const Form& form, bool frozen,
                  bool in_place) {
  const std::string name =
      describe(shape, form) + (frozen ? ", frozen" : "") + (in_place ? ", dresidual lies where dy does" : "");
  table.push_back({"batch_norm.backward: " + name, [=](OpRig& rig) {
                     const Shape vector = Shape::vector(shape.c);
                     BatchNormBackward op;
                     op.x = rig.in("x", shape, rig.compute(), normal());
                     if (form.relu) op.y = rig.in("y", shape, rig.compute(), relu_of_normal());
                     if (in_place) {
                       op.dy = op.dresidual = rig.inout("dy, then dresidual", shape, rig.compute(), normal());
                     } else {
                       op.dy = rig.in("dy", shape, rig.compute(), normal());
                       if (form.residual) op.dresidual = rig.out("dresidual", shape, rig.compute());
                     }
                     op.dx = rig.out("dx", shape, rig.compute());
                     op.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                     op.mean = rig.in("mean", vector, rig.master(), normal(0.3));
                     op.inv_std = rig.in("inv_std", vector, rig.master(), uniform(0.5, 2));
                     op.dgamma = rig.inout("dgamma", vector, rig.master(), normal());
                     op.dbeta = rig.inout("dbeta", vector, rig.master(), normal());
                     op.relu = form.relu;
                     op.frozen = frozen;
                     rig.run(op);
                   }});
}

/// As a layer calls it: what forward has left tells backward which elements the ReLU let through. Deviations
/// are powers of two, so that they are the same numbers in every type.
void add_behind_forward(std::vector<OpCase>& table, const Shape& shape, double offset) {
  const std::string name =
      text(shape, " + relu, behind its forward", offset != 0 ? text(", mean ", offset) : "");
  table.push_back({"batch_norm.backward: " + name, [=](OpRig& rig) {
                     const Shape vector = Shape::vector(shape.c);
                     BatchNormInfer forward;
                     forward.x = rig.in("x", shape, rig.compute(), normal(1, offset));
                     forward.y = rig.out("y", shape, rig.compute());
                     forward.gamma = rig.in("gamma", vector, rig.master(), normal(0.3, 1));
                     forward.beta = rig.in("beta", vector, rig.master(), normal(1));
                     forward.running_mean = rig.in("mean", vector, rig.master(), normal(0.3, offset));
                     forward.running_var = rig.in("variance", vector, rig.master(), sequence({0.25, 1, 4}));
                     forward.relu = true;
                     forward.eps = 0;
                     rig.run(forward);
                     BatchNormBackward op;
                     op.x = forward.x, op.y = forward.y;
                     op.dy = rig.in("dy", shape, rig.compute(), normal());
                     op.dx = rig.out("dx", shape, rig.compute());
                     op.gamma = forward.gamma, op.beta = forward.beta, op.mean = forward.running_mean;
                     op.inv_std = rig.in("inv_std", vector, rig.master(), sequence({2, 1, 0.5}));
                     op.dgamma = rig.inout("dgamma", vector, rig.master(), normal());
                     op.dbeta = rig.inout("dbeta", vector, rig.master(), normal());
                     op.relu = true;
                     rig.run(op);
                   }});
}

}  // namespace

void add_batch_norm(std::vector<OpCase>& table) {
  for (const Shape& shape : kShapes)
    for (const Form& form : kForms) add_train(table, shape, form, true, 0);
  add_train(table, kShapes[1], kForms[1], false, 0);
  // A variance from E[x^2] - E[x]^2 in f32 shows its cancellation.
  add_train(table, kShapes[2], kForms[3], true, 8);
  for (const Shape& shape : kShapes)
    for (const Form& form : kForms) add_infer(table, shape, form);
  for (const bool frozen : {false, true})
    for (const Shape& shape : kShapes)
      for (const Form& form : kForms) {
        add_backward(table, shape, form, frozen, false);
        if (form.residual) add_backward(table, shape, form, frozen, true);
      }
  for (const Shape& shape : kShapes) add_behind_forward(table, shape, 0);
  add_behind_forward(table, kShapes[2], 4);
  for (const Shape& shape : kShapes)
    table.push_back({text("inverse_std: ", shape.c), [&shape](OpRig& rig) {
                       InverseStd op;
                       op.variance = rig.in("variance", Shape::vector(shape.c), rig.master(), uniform(0, 2));
                       op.inv_std = rig.out("inv_std", Shape::vector(shape.c), rig.master());
                       rig.run(op);
                     }});
}

}  // namespace laban::test::cases
