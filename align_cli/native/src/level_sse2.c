/* The kernels for SSE2, which every x86-64 processor has. */
#if !defined __SSE2__ || defined __AVX__
#error "compile this file with the flags that build_backend/compile.py has for it, and no others"
#endif

#define LEVEL(NAME) NAME##_sse2
#include "kernels.inc"
