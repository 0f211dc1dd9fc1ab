"""The native core: what is done to every pixel, written once in C and called through ctypes.

    src/core.h        what the core promises, the structure of each call, the codes
    src/kernels.inc   the kernels, for whatever instructions a level has; it includes the others:
                      vectors.inc, smoothing.inc, rows.inc, points.inc, tiles.inc
    src/level_*.c     the levels: SSE2, AVX2, AVX-512, NEON
    src/dispatch.c    which level this processor has, and the public entries
    library.py        finds, checks and loads the compiled core
    rows.py ...       one function a kernel: NumPy arrays in, NumPy arrays out

``build_backend/compile.py`` compiles it; there is no other implementation beside it. What a kernel
computes stands as a plain sum in NumPy in its test.
"""
