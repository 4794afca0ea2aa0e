// The classifier on paper; cross-entropy with label smoothing and softmax against PyTorch, in f64.
#include <doctest/doctest.h>

#include "reference/reference_backend.h"
#include "support/host_tensor.h"

using namespace laban;
using namespace laban::test;

TEST_CASE("linear: y = x w^T + bias and its three gradients") {
  HostTensor x(Shape::matrix(2, 3), {1, 2, 3, 4, 5, 6}), w(Shape::matrix(2, 3), {1, 0, -1, 2, 2, 2});
  HostTensor bias(Shape::vector(2), {0.5, -0.5}), y(Shape::matrix(2, 2));
  ReferenceBackend backend;
  run_op(backend, LinearForward{x, w, bias, y});
  CHECK(y.values() == std::vector<double>{-1.5, 11.5, -1.5, 29.5});
  HostTensor dy(Shape::matrix(2, 2), {1, 10, 100, 1000}), dx(Shape::matrix(2, 3));
  run_op(backend, LinearBackwardData{dy, w, dx});
  CHECK(dx.values() == std::vector<double>{21, 20, 19, 2100, 2000, 1900});
  HostTensor dw(Shape::matrix(2, 3), DType::f64, 1), dbias(Shape::vector(2), {1, 1});
  run_op(backend, LinearBackwardWeights{x, dy, dw, dbias});
  CHECK(dw.values() == std::vector<double>{402, 503, 604, 4011, 5021, 6031});
  CHECK(dbias.values() == std::vector<double>{102, 1011});
}

TEST_CASE("cross-entropy with class weights as PyTorch's") {
  // z = torch.tensor([[.5,-1.25,2],[1.5,.25,-.75]]);  w = torch.tensor([.25,1.5,4])
  // loss = CrossEntropyLoss(weight=w, label_smoothing=s, reduction='none')(z, torch.tensor([2,0]));  loss.sum().backward()
  HostTensor logits(Shape::matrix(2, 3), {0.5, -1.25, 2, 1.5, 0.25, -0.75}),
      weights(Shape::vector(3), {0.25, 1.5, 4});
  HostTensor labels(Shape::vector(2), {2, 0}, DType::i32);
  HostTensor loss(Shape::vector(2)), dlogits(Shape::matrix(2, 3));
  SoftmaxCrossEntropy op;
  op.logits = logits, op.labels = labels, op.loss = loss, op.dlogits = dlogits, op.class_weights = weights;
  ReferenceBackend backend;
  run_op(backend, op);
  CHECK(loss.distance({0.9304879324081307, 0.08266815235180602}) < 1e-14);
  CHECK(dlogits.distance({0.7072807284297772, 0.12290696130574573, -0.8301876897355229, -0.07038991471223377,
                          0.05145915099941289, 0.01893076371282088}) < 1e-14);
  op.smoothing = 0.1;
  run_op(backend, op);
  CHECK(loss.distance({1.0570250192618738, 0.5002802539196767}) < 1e-14);
  CHECK(dlogits.distance({0.6621098571573929, 0.06650555707107146, -0.7286154142284647, 0.06601680881294368,
                          0.035765251665688134, -0.10178206047863186}) < 1e-14);
}

TEST_CASE("cross-entropy as PyTorch's, with and without label smoothing") {
  // z = torch.tensor([[1.,-2,.5,3],[0,0,0,0],[1000,-1000,999,0]]);  t = torch.tensor([3,1,2])
  // loss = F.cross_entropy(z, t, label_smoothing=s, reduction='none');  (loss.sum()/3).backward()
  HostTensor logits(Shape::matrix(3, 4), {1, -2, .5, 3, 0, 0, 0, 0, 1000, -1000, 999, 0});
  HostTensor labels(Shape::vector(3), {3, 1, 2}, DType::i32);
  HostTensor loss(Shape::vector(3)), dlogits(Shape::matrix(3, 4));
  SoftmaxCrossEntropy op;
  op.logits = logits, op.labels = labels, op.loss = loss, op.dlogits = dlogits;
  op.scale = 1.0 / 3;
  ReferenceBackend backend;
  run_op(backend, op);
  CHECK(loss.distance({0.202253447679352, 1.38629436111989, 1.31326168751822}) < 1e-13);
  CHECK(dlogits.distance({0.0368512501205797, 0.00183471570919456, 0.0223514130468705, -0.0610373788766448,
                          0.0833333333333333, -0.25, 0.0833333333333333, 0.0833333333333333,
                          0.243686192876668, 0, -0.243686192876668, 0}) < 1e-14);
  op.smoothing = 0.1;
  run_op(backend, op);
  CHECK(loss.distance({0.439753447679352, 1.38629436111989, 76.2382616875182}) < 1e-13);
  CHECK(dlogits.distance({0.0285179167872464, -0.00649861762413878, 0.0140180797135372, -0.0360373788766448,
                          0.075, -0.225, 0.075, 0.075, 0.235352859543335, -0.00833333333333333,
                          -0.218686192876668, -0.00833333333333333}) < 1e-14);
  op.dlogits = {};
  loss.set(0, -1);
  run_op(backend, op);  // evaluation: the loss alone
  CHECK(loss.distance({0.439753447679352, 1.38629436111989, 76.2382616875182}) < 1e-13);

  HostTensor p(Shape::matrix(3, 4));
  run_op(backend, Softmax{logits, p});
  CHECK(p.distance({0.110553750361739, 0.00550414712758367, 0.0670542391406115, 0.816887863370066, 0.25, 0.25,
                    0.25, 0.25, 0.731058578630005, 0, 0.268941421369995, 0}) < 1e-14);
}
