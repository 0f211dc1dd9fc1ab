/* The kernels for AVX-512 F, BW, DQ and VL. */
#if !defined __AVX512VL__
#error "compile this file with the flags that build_backend/compile.py has for it"
#endif

#define LEVEL(NAME) NAME##_avx512
#include "kernels.inc"
