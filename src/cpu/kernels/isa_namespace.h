// The rules of this folder.
//
// CMake compiles every .cpp here, and in cpu/ladder, once per instruction set, with that set's flags and LABAN_ISA defined as its
// name (avx2, say); everything lies in namespace laban::cpu::LABAN_ISA. So a kernel is written once, as plain
// C++ with loops that the compiler vectorizes, or with the vector types of vectors.h.
//
// Code compiled here for AVX-512 must never be what the rest of the program calls. The danger is in inline
// functions and templates, of which a linker keeps one copy out of many: whichever it finds first. So the build
// makes everything outside the namespace local to these objects (cmake/kernels.cmake), and a test looks through
// their symbols.
#pragma once

#if !defined(LABAN_ISA)
#error "a header of cpu/kernels is for the files of that folder, which are compiled per instruction set"
#endif
