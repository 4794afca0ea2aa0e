// LABAN_HD marks a formula that both the host compiler and nvcc compile: written once, tested on the CPU,
// called from a CUDA kernel. It is the only macro of the house, because a function cannot carry an attribute
// for another.
#pragma once

#if defined(__CUDACC__)
#define LABAN_HD __host__ __device__
#else
#define LABAN_HD
#endif
