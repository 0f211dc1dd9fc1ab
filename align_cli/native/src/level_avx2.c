/* The kernels for AVX2, without fused multiply-add. */
#if !defined __AVX2__ || defined __AVX512F__ || defined __FMA__
#error "compile this file with the flags that build_backend/compile.py has for it, and no others"
#endif

#define LEVEL(NAME) NAME##_avx2
#include "kernels.inc"
