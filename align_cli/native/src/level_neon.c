/* The kernels for NEON, which every 64-bit ARM processor has. */
#if !defined __ARM_NEON
#error "compile this file with the flags that build_backend/compile.py has for it"
#endif

#define LEVEL(NAME) NAME##_neon
#include "kernels.inc"
