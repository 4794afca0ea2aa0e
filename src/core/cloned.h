// LABAN_CLONED marks a hot function that the compiler translates a second time for processors with AVX2; which
// of the two runs is decided when the program starts. Both round alike (no fused multiply-add), so that results
// do not depend on the processor. It has to be a macro because it stands for an attribute of a function.
//
// The ops' kernels are not marked so: they are compiled for every instruction set, fused multiply-add and all
// (src/cpu/kernels).
#pragma once

// Sanitizers are not ready yet when the choice is made.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define LABAN_CLONED [[gnu::target_clones("default", "avx2")]]
#else
#define LABAN_CLONED
#endif
