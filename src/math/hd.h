// LABAN_HD marks a formula that both the host compiler and nvcc compile: written once, tested on the CPU,
// called from CUDA kernels. It has to be a macro because it stands for attributes of a function.
#pragma once

#if defined(__CUDACC__)
#define LABAN_HD __host__ __device__
#else
#define LABAN_HD
#endif
