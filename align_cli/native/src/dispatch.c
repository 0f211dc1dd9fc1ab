/* The public entries: detection of the processor's level, and dispatch of the calls to it. */

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "table.h"

#ifndef IMALIGN_SOURCE_HASH
#error "compile with build_backend/compile.py, which defines the hash of the sources"
#endif

/* ---- detection of the processor's features ---- */

#if defined __x86_64__

#include <cpuid.h> /* the instruction itself; __builtin_cpu_supports is wrong in some runtimes */

/* The registers that the system saves on a context switch. */
static uint64_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

/* The bits of leaf 7 for AVX2 and AVX-512, as far as the system saves their registers. */
static uint32_t usable(void) {
    const uint32_t avx2 = 1u << 5, avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    const uint32_t osxsave = 1u << 27, avx = 1u << 28;
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & osxsave) == 0 || (c & avx) == 0) return 0;
    uint64_t saved = saved_registers();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    uint32_t features = 0;
    if ((saved & 0x06) == 0x06) features |= b & avx2;
    if ((saved & 0xe6) == 0xe6) features |= b & avx512;
    return features;
}

static int has_sse2(void) { return 1; }
static int has_avx2(void) { return (usable() & 1u << 5) != 0; }
static int has_avx512(void) {
    const uint32_t f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    return has_avx2() && (usable() & f_dq_bw_vl) == f_dq_bw_vl;
}

/* Round to nearest, no flush to zero, no denormals as zero, no trap. */
static uint64_t enter(void) {
    uint64_t before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(0x1f80);
    return before;
}
static void leave(uint64_t before) { __builtin_ia32_ldmxcsr((uint32_t)before); }

#elif defined __aarch64__

static int has_neon(void) { return 1; }

static uint64_t enter(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr\n\tmsr fpcr, xzr" : "=r"(before) : : "memory");
    return before;
}
static void leave(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before) : "memory"); }

#else
#error "imalign's core supports x86-64 and 64-bit ARM"
#endif

/* ---- the levels ---- */

struct level {
    const char *name;
    int (*here)(void);
    const struct kernels *kernels;
};

/* Slowest first: every level requires no more than those after it. */
static const struct level LEVELS[] = {
#if defined __x86_64__
    {"sse2", has_sse2, &imalign_kernels_sse2},
    {"avx2", has_avx2, &imalign_kernels_avx2},
    {"avx512", has_avx512, &imalign_kernels_avx512},
#else
    {"neon", has_neon, &imalign_kernels_neon},
#endif
};

enum { LEVEL_COUNT = sizeof LEVELS / sizeof *LEVELS };

/* The level in use, counted from 1; 0 before the first call. Two threads that both read 0 write the
 * same value. */
static atomic_int chosen;

static int best(void) {
    int i = LEVEL_COUNT;
    while (i > 1 && !LEVELS[i - 1].here()) i--;
    return i;
}

static const struct level *level(void) {
    int now = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (now == 0) {
        now = best();
        atomic_store_explicit(&chosen, now, memory_order_relaxed);
    }
    return &LEVELS[now - 1];
}

const char *imalign_level(void) { return level()->name; }

int imalign_set_level(const char *name) {
    int wanted = name == NULL ? best() : 0;
    for (int i = 0; name != NULL && i < LEVEL_COUNT; i++)
        if (strcmp(name, LEVELS[i].name) == 0 && LEVELS[i].here()) wanted = i + 1;
    if (wanted == 0) return IMALIGN_NO_LEVEL;
    atomic_store_explicit(&chosen, wanted, memory_order_relaxed);
    return IMALIGN_OK;
}

const char *imalign_level_name(int i) { return i >= 0 && i < LEVEL_COUNT ? LEVELS[i].name : NULL; }

int imalign_has_level(int i) { return i >= 0 && i < LEVEL_COUNT && LEVELS[i].here(); }

/* ---- the kernels ---- */

#define ENTRY(NAME)                                          \
    int imalign_##NAME(const struct imalign_##NAME *call) {  \
        if (call == NULL) return IMALIGN_NO_BUFFER;          \
        uint64_t before = enter();                           \
        int code = level()->kernels->NAME(call);             \
        leave(before);                                       \
        return code;                                         \
    }
IMALIGN_KERNELS(ENTRY)

static const struct {
    const char *name;
    int64_t bytes;
} KERNELS[] = {
#define ROW(NAME) {#NAME, sizeof(struct imalign_##NAME)},
    IMALIGN_KERNELS(ROW)
};

enum { KERNEL_COUNT = sizeof KERNELS / sizeof *KERNELS };

const char *imalign_kernel_name(int i) {
    return i >= 0 && i < KERNEL_COUNT ? KERNELS[i].name : NULL;
}

int64_t imalign_kernel_bytes(int i) { return i >= 0 && i < KERNEL_COUNT ? KERNELS[i].bytes : 0; }

/* ---- messages ---- */

const char *imalign_message(int code) {
    static const char *const messages[] = {
        [IMALIGN_OK] = "no error",
        [IMALIGN_NO_BUFFER] = "a buffer is NULL",
        [IMALIGN_BAD_SIZE] = "a size or a count is negative, too large or inconsistent",
        [IMALIGN_BAD_STEP] = "a stride is too large",
        [IMALIGN_BAD_ROWS] = "a range of rows exceeds the image",
        [IMALIGN_NOT_FINITE] = "a coefficient is not finite",
        [IMALIGN_NO_LEVEL] = "this processor does not support that level",
    };
    _Static_assert(sizeof messages / sizeof *messages == IMALIGN_CODES, "a message for each code");
    return code >= 0 && code < IMALIGN_CODES ? messages[code] : "unknown error";
}

const char *imalign_source_hash(void) { return IMALIGN_SOURCE_HASH; }
