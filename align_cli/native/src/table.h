/* The table of a level's kernels, shared by the levels and the dispatch. */
#ifndef IMALIGN_TABLE_H
#define IMALIGN_TABLE_H

#include "core.h"

struct kernels {
#define MEMBER(NAME) int (*NAME)(const struct imalign_##NAME *call);
    IMALIGN_KERNELS(MEMBER)
#undef MEMBER
};

extern const struct kernels imalign_kernels_sse2;
extern const struct kernels imalign_kernels_avx2;
extern const struct kernels imalign_kernels_avx512;
extern const struct kernels imalign_kernels_neon;

#endif
