// The classifier, y = x w^T + bias, and its gradients: matrix products by cuBLAS. They are small (a batch of
// feature vectors), so where the types differ the narrow one is widened and the product is f32: nothing is
// rounded but the stored result.
#pragma once

#include "cuda/libraries.h"

namespace laban::cuda {

size_t scratch_bytes(const LinearForward& op);
size_t scratch_bytes(const LinearBackwardData& op);
size_t scratch_bytes(const LinearBackwardWeights& op);

/// `tf32`: f32 products may be rounded to TF32.
void run(const LinearForward& op, Scratch scratch, bool tf32, Libraries& libraries, Stream stream);
void run(const LinearBackwardData& op, Scratch scratch, bool tf32, Libraries& libraries, Stream stream);
void run(const LinearBackwardWeights& op, Scratch scratch, bool tf32, Libraries& libraries, Stream stream);

}  // namespace laban::cuda
