// Batch normalization against PyTorch, and its corners on paper.
//
// The common case, in f64:
//   x  = torch.tensor([[1.,-2],[3,.5],[4,4],[-1,1],[2,-3],[0,.25]])
//   r  = torch.tensor([[.5,1],[-2,0],[0,.5],[1,-1],[.25,2],[-.5,1.5]])
//   dy = torch.tensor([[1.,2],[-1,.5],[.5,-3],[2,1],[-.25,4],[3,-1]])
//   bn = torch.nn.BatchNorm1d(2, dtype=torch.float64)
//   weight = (1.5, -.5), bias = (.25, .75), running_mean = (.25, -.5), running_var = (2, .5)
#include <doctest/doctest.h>

#include <cmath>

#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

namespace {

const Shape kShape{1, 2, 1, 2, 3};
const Shape kVector = Shape::vector(2);

struct Case {
  HostTensor x{kShape, {1, -2, 3, .5, 4, 4, -1, 1, 2, -3, 0, .25}};
  HostTensor residual{kShape, {.5, 1, -2, 0, 0, .5, 1, -1, .25, 2, -.5, 1.5}};
  HostTensor dy{kShape, {1, 2, -1, .5, .5, -3, 2, 1, -.25, 4, 3, -1}};
  HostTensor y{kShape, DType::f64, NAN}, dx{kShape, DType::f64, NAN}, dresidual{kShape, DType::f64, NAN};
  HostTensor gamma{kVector, {1.5, -.5}}, beta{kVector, {.25, .75}};
  HostTensor running_mean{kVector, {.25, -.5}}, running_var{kVector, {2, .5}};
  HostTensor mean{kVector, DType::f64, NAN}, inv_std{kVector, DType::f64, NAN};
  HostTensor dgamma{kVector, {100, 200}}, dbeta{kVector, {300, 400}};
  ReferenceBackend backend;

  BatchNormTrain train(bool relu, bool with_residual) {
    BatchNormTrain op;
    op.x = x, op.y = y;
    if (with_residual) op.residual = residual;
    op.gamma = gamma, op.beta = beta, op.mean = mean, op.inv_std = inv_std;
    op.running_mean = running_mean, op.running_var = running_var;
    op.relu = relu;
    return op;
  }
  BatchNormBackward backward(bool relu, bool frozen) {
    BatchNormBackward op;
    op.x = x, op.y = y, op.dy = dy, op.dx = dx;
    op.gamma = gamma, op.mean = mean, op.inv_std = inv_std, op.dgamma = dgamma, op.dbeta = dbeta;
    op.relu = relu, op.frozen = frozen;
    return op;
  }
};

}  // namespace

TEST_CASE("batch norm + residual + relu: forward and running statistics as PyTorch's") {
  Case c;  // y = torch.relu(bn(x) + r)
  run_op(c.backend, c.train(true, true));
  CHECK(c.y.distance({0.310845720008423, 2.22344102153018, 0, 0.666451584435851, 2.44577139995788,
                      0.386666372503792, 0, 0, 0.939154279991577, 3.44623679636791, 0, 2.22215052814528}) <
        1e-13);
  CHECK(c.mean.distance({1.5, 0.125}) < 1e-15);
  CHECK(c.inv_std.distance({0.585539039988769, 0.445591549675462}) < 1e-14);
  CHECK(c.running_mean.distance({0.375, -0.4375}) < 1e-15);
  CHECK(c.running_var.distance({2.15, 1.054375}) < 1e-15);
  for (int64_t i = 0; i < kShape.count(); ++i) c.x.set(i, 2 * c.x[i]);
  run_op(c.backend, c.train(true, true));  // bn(2*x)
  CHECK(c.running_mean.distance({0.6375, -0.36875}) < 1e-15);
  CHECK(c.running_var.distance({3.335, 3.3664375}) < 1e-15);
}

TEST_CASE("batch norm + residual + relu: backward as PyTorch's, dresidual apart or in place of dy") {
  const std::vector<double> dx = {0.711011637641125,   0.0908147013979563,  -0.230033032959875,
                                  -0.0968441989623458, 0.177753191722779,   -0.047652574693945,
                                  -0.104560811724183,  -0.0898168240668599, -0.41824211764674,
                                  -0.146035823230747,  -0.135928867033106,  0.289534719555941};
  const std::vector<double> dresidual = {1, 2, 0, 0.5, 0.5, -3, 0, 0, -0.25, 4, 0, -1};
  for (const bool in_place : {false, true}) {
    Case c;
    run_op(c.backend, c.train(true, true));
    BatchNormBackward op = c.backward(true, false);
    HostTensor& dr = in_place ? c.dy : c.dresidual;
    op.dresidual = dr;
    run_op(c.backend, op);
    CHECK(c.dx.distance(dx) < 1e-13);
    CHECK(dr.values() == dresidual);
    CHECK(c.dgamma.distance({100 + 0.365961899992981, 200 - 12.6158107501865}) <
          1e-14);  // added to what was there
    CHECK(c.dbeta.values() == std::vector<double>{301.25, 402.5});
  }
}

TEST_CASE("running statistics as constants: bn.eval(), forward and backward") {
  Case c;
  BatchNormInfer infer;
  infer.x = c.x, infer.y = c.y, infer.gamma = c.gamma, infer.beta = c.beta;
  infer.running_mean = c.running_mean, infer.running_var = c.running_var;
  infer.relu = true;
  run_op(c.backend, infer);
  CHECK(c.y.distance({1.0454931401045, 1.8106495653372, 3.16680818038317, 0.0429002897752, 4.22746570052251,
                      0, 0, 0, 2.10615066024384, 2.517749275562, 0, 0.2196752173314}) < 1e-13);
  run_op(c.backend, InverseStd{c.running_var, c.inv_std});
  BatchNormBackward op = c.backward(true, true);
  op.mean = c.running_mean;
  run_op(c.backend, op);
  CHECK(c.dx.distance({1.06065752013934, -1.4141994204496, -1.06065752013934, -0.3535498551124,
                       0.530328760069668, 0, 0, 0, -0.265164380034834, -2.8283988408992, 0,
                       0.7070997102248}) < 1e-13);
  CHECK(c.dgamma.distance({100 - 0.397746570052251, 200 - 18.7381423209572}) < 1e-14);
  CHECK(c.dbeta.values() == std::vector<double>{300.25, 405.5});
}

TEST_CASE("the input gradient is orthogonal to 1 and to xhat in every channel") {
  Case c;  // since y does not change when x is shifted or scaled (eps aside, hence 0 here)
  BatchNormTrain forward = c.train(false, false);
  forward.eps = 0;
  run_op(c.backend, forward);
  run_op(c.backend, c.backward(false, false));
  for (int64_t channel = 0; channel < 2; ++channel) {
    double sum = 0, with_x = 0, size = 0;
    for (int64_t i = channel; i < kShape.count(); i += 2)
      sum += c.dx[i], with_x += c.dx[i] * c.x[i], size += std::abs(c.dx[i]);
    CHECK(size > 0.1);
    CHECK(std::abs(sum) < 1e-14);
    CHECK(std::abs(with_x) < 1e-14);
  }
}

TEST_CASE("a single value per channel: y = beta, and the running variance takes the biased 0") {
  const Shape one{1, 2, 1, 1, 1};
  HostTensor x(one, {7, -3}), y(one, DType::f64, NAN);
  Case c;
  BatchNormTrain op = c.train(false, false);
  op.x = x, op.y = y;
  run_op(c.backend, op);
  CHECK(y.values() == std::vector<double>{.25, .75});
  CHECK(c.running_mean.distance({.9 * .25 + .1 * 7, .9 * -.5 + .1 * -3}) < 1e-15);
  CHECK(c.running_var.distance({.9 * 2, .9 * .5}) < 1e-15);
}

TEST_CASE("a large mean does not spoil the variance") {
  // Values 1e6 + {-1, 0, 1}: the mean of squares minus the square of the mean would keep 4 digits of 2/3 in
  // f64.
  const Shape shape{1, 1, 1, 1, 3};
  HostTensor x(shape, {1e6 - 1, 1e6, 1e6 + 1}), y(shape, DType::f64, NAN);
  HostTensor gamma(Shape::vector(1), {1}), beta(Shape::vector(1)), mean(Shape::vector(1)),
      inv_std(Shape::vector(1));
  BatchNormTrain op;
  op.x = x, op.y = y, op.gamma = gamma, op.beta = beta, op.mean = mean, op.inv_std = inv_std;
  op.eps = 0;
  ReferenceBackend backend;
  run_op(backend, op);
  CHECK(inv_std.distance({std::sqrt(1.5)}) < 1e-15);
  CHECK(y.distance({-std::sqrt(1.5), 0, std::sqrt(1.5)}) < 1e-15);
}
