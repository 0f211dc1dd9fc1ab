"""The native core: all per-pixel computations, in C, called through ctypes.

    src/core.h        the guarantees of the core, the structure of each call, the codes
    src/kernels.inc   the kernels, for any instruction set; it includes the others:
                      vectors.inc, smoothing.inc, rows.inc, points.inc, tiles.inc
    src/level_*.c     the instruction sets ("levels"): SSE2, AVX2, AVX-512, NEON
    src/dispatch.c    which level this processor supports, and the public entries
    library.py        finds, checks and loads the compiled core
    rows.py ...       one function per kernel: NumPy arrays in, NumPy arrays out

``build_backend/compile.py`` compiles it; there is no second implementation. The test of each kernel
computes the same sums in plain NumPy.
"""
