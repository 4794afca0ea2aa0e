// Dropout, the same op forward and backward: the mask is recomputed from (seed, stream, step).
#include <algorithm>

#include "math/dropout.h"
#include "reference/loops.h"

namespace laban::reference {

template <>
size_t scratch_bytes(const Dropout&) {
  return 0;
}
template <>
void run(const Dropout& op, Scratch) {
  const uint64_t stream =
      op.step ? dropout_stream(op.seed, op.stream, static_cast<uint64_t>(*op.step.as<int64_t>())) : op.stream;
  with_float_type(op.x.dtype, [&]<class T>() {
    const T* x = op.x.as<T>();
    T* y = op.y.as<T>();
    const int64_t count = op.x.count();
    for (int64_t first = 0; first < count; first += 4) {
      const PhiloxBlock words = dropout_words(first / 4, op.seed, stream);
      const int in_group = static_cast<int>(std::min<int64_t>(4, count - first));
      for (int j = 0; j < in_group; ++j) store(y[first + j], dropout(load(x[first + j]), words[j], op.p));
    }
  });
}

}  // namespace laban::reference
