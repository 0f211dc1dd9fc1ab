/* Makes calls of every kernel, at every level that the processor has, and compares their bits.
 *
 *     driver answers                  print what each kernel answers to fixed calls
 *     driver check FILE               compare that with a file
 *     driver fuzz RUNS [SEED]         hostile calls of every kernel, drawn at random
 *     driver replay KERNEL FILE...    hostile calls drawn from the bytes of files
 *
 * Whatever is done, each call is made at every level, and again with the floating-point unit in a
 * strange state, and has to give the same bits each time; to leave its inputs and the state as they
 * were; to write nothing beyond its outputs, and nothing at all if it refuses. Exit code 0: all is
 * well, 1: it is not, 2: wrong usage, or a file cannot be read. */

#include "cases.h"

enum { ANSWERED_CALLS = 300 };

/* ---- the state of the floating-point unit ---- */

#if defined __x86_64__
static uint64_t unit_state(void) { return __builtin_ia32_stmxcsr(); }
static void set_unit_state(uint64_t state) { __builtin_ia32_ldmxcsr((uint32_t)state); }
#define STRANGE_STATE 0xffc0 /* flush to zero, denormals are zero, towards zero, traps masked */
#else
static uint64_t unit_state(void) {
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
}
static void set_unit_state(uint64_t state) {
    __asm__ volatile("msr fpcr, %0" : : "r"(state) : "memory");
}
#define STRANGE_STATE 0x01c00000 /* flush to zero, towards zero */
#endif

/* ---- one call ---- */

static const char *failing = ""; /* the kernel and the level, for messages */
static uint64_t failing_seed;
static uint64_t refused; /* calls, so far */

static int fail(const char *what) {
    printf("%s, call %llu: %s\n", failing, (unsigned long long)failing_seed, what);
    return 1;
}

static uint64_t hash_byte(uint64_t hash, uint8_t byte) { /* FNV-1a */
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

/* Whether item `i` of a row of a buffer is a NaN, of either width. */
static int is_nan(const struct buffer *buffer, const uint8_t *at, int64_t i) {
    const char *record = buffer->record;
    int wide = record ? record[(size_t)i % strlen(record)] == 'd' : buffer->item == FLOAT64;
    float narrow = 0.0f;
    double value = 0.0;
    if (buffer->item == FLOAT32) memcpy(&narrow, at, sizeof narrow);
    if (wide) memcpy(&value, at, sizeof value);
    return narrow != narrow || value != value;
}

/* Hash what was written; a NaN counts as a NaN, for that is all that is promised. */
static uint64_t hash_outputs(uint64_t hash) {
    for (int i = 0; i < buffer_count; i++) {
        const struct buffer *buffer = &buffers[i];
        const int64_t size = item_size(buffer->item);
        for (int64_t y = 0; buffer->written && !buffer->scratch && y < buffer->rows; y++)
            for (int64_t x = 0; x < buffer->row; x += size) {
                const uint8_t *at = buffer->memory + y * buffer->step + x;
                int none = is_nan(buffer, at, x / size);
                for (int64_t k = 0; k < size; k++) hash = hash_byte(hash, none ? 0xff : at[k]);
            }
    }
    return hash;
}

static void restore_buffers(void) {
    for (int i = 0; i < buffer_count; i++)
        memcpy(buffers[i].memory, buffers[i].before, buffers[i].length);
}

/* What changed that should not have. */
static int check_buffers(int refusal) {
    for (int i = 0; i < buffer_count; i++) {
        const struct buffer *buffer = &buffers[i];
        if (!guards_hold(buffer)) return fail("it wrote beyond a buffer");
        if (memcmp(buffer->memory, buffer->before, buffer->length) == 0) continue;
        if (!buffer->written) return fail("an input was changed");
        if (refusal) return fail("it refused, but wrote");
        for (int64_t at = 0; at < (int64_t)buffer->length; at++)
            if (at % buffer->step >= buffer->row && buffer->memory[at] != buffer->before[at])
                return fail("it wrote between the rows of an output");
    }
    return 0;
}

union any_call {
#define MEMBER(NAME) struct imalign_##NAME NAME;
    IMALIGN_KERNELS(MEMBER)
#undef MEMBER
};

struct kernel {
    const char *name;
    void (*draw)(struct stream *from, union any_call *call);
    int (*run)(const union any_call *call);
};

#define WRAP(NAME)                                                                \
    static void draw_any_##NAME(struct stream *from, union any_call *call) {      \
        draw_##NAME(from, &call->NAME);                                           \
    }                                                                             \
    static int run_any_##NAME(const union any_call *call) {                       \
        return imalign_##NAME(&call->NAME);                                       \
    }
IMALIGN_KERNELS(WRAP)

static const struct kernel KERNELS[] = {
#define ROW(NAME) {#NAME, draw_any_##NAME, run_any_##NAME},
    IMALIGN_KERNELS(ROW)
};

enum { KERNEL_COUNT = sizeof KERNELS / sizeof *KERNELS };

/* Draw a call and make it at every level. Whether something is wrong; `hash` goes on. */
static int try_call(const struct kernel *kernel, struct stream *from, uint64_t *hash) {
    union any_call call;
    memset(&call, 0, sizeof call);
    kernel->draw(from, &call);
    uint64_t first = 0;
    int wrong = 0, calls = 0;
    for (int i = 0; !wrong && imalign_level_name(i); i++) {
        if (!imalign_has_level(i)) continue;
        imalign_set_level(imalign_level_name(i));
        char name[64];
        snprintf(name, sizeof name, "%s at %s", kernel->name, imalign_level());
        failing = name;
        for (int strange = 0; !wrong && strange < 2; strange++) {
            restore_buffers();
            uint64_t usual = unit_state();
            if (strange) set_unit_state(STRANGE_STATE);
            uint64_t before = unit_state();
            int code = kernel->run(&call);
            uint64_t after = unit_state();
            set_unit_state(usual);
            uint64_t mine = hash_outputs(hash_byte(*hash, (uint8_t)code));
            if (calls++ == 0) first = mine, refused += code != IMALIGN_OK;
            wrong = check_buffers(code != IMALIGN_OK);
            if (!wrong && (code < 0 || code >= IMALIGN_CODES)) wrong = fail("an unknown code");
            if (!wrong && code != IMALIGN_OK && !from->hostile) wrong = fail(imalign_message(code));
            if (!wrong && before != after) wrong = fail("it changed the floating-point unit");
            if (!wrong && mine != first) wrong = fail("other bits than the first level's");
        }
        failing = "";
    }
    *hash = first;
    free_buffers();
    return wrong;
}

/* ---- commands ---- */

/* The line "name hash" of what a kernel answers to fixed calls. */
static int answer(const struct kernel *kernel, char *line, size_t length) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (failing_seed = 0; failing_seed < ANSWERED_CALLS; failing_seed++) {
        struct stream from = {.state = failing_seed * 1000003};
        if (try_call(kernel, &from, &hash)) return 1;
    }
    snprintf(line, length, "%s %016llx\n", kernel->name, (unsigned long long)hash);
    return 0;
}

static int answers(FILE *expected) {
    int wrong = 0;
    for (int i = 0; i < KERNEL_COUNT; i++) {
        char line[128] = "", known[128] = "";
        if (answer(&KERNELS[i], line, sizeof line)) return 1;
        if (expected == NULL) {
            fputs(line, stdout);
        } else if (!fgets(known, sizeof known, expected) || strcmp(line, known) != 0) {
            printf("expected %s     got %s", known[0] ? known : "nothing\n", line);
            wrong = 1;
        }
    }
    if (expected && fgetc(expected) != EOF) wrong = 1, puts("more answers are expected");
    return wrong;
}

static int fuzz(uint64_t runs, uint64_t seed) {
    for (int i = 0; i < KERNEL_COUNT; i++) {
        refused = 0;
        for (failing_seed = seed; failing_seed < seed + runs; failing_seed++) {
            struct stream from = {.state = failing_seed * 7919, .hostile = 1};
            uint64_t hash = 0;
            if (try_call(&KERNELS[i], &from, &hash)) return 1;
        }
        printf("%s: %llu calls, %llu of them refused\n", KERNELS[i].name,
               (unsigned long long)runs, (unsigned long long)refused);
        /* Calls that are all refused, or none, try little. */
        if (runs >= 100 && (refused == 0 || refused > runs / 10 * 9)) return 1;
    }
    return 0;
}

static int replay(const struct kernel *kernel, const char *path) {
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    if (file == NULL) return perror(path), 2;
    struct stream from = {.bytes = bytes, .hostile = 1};
    from.left = fread(bytes, 1, sizeof bytes, file);
    int unread = ferror(file);
    fclose(file);
    if (unread) return fprintf(stderr, "%s: cannot be read\n", path), 2;
    uint64_t hash = 0;
    return try_call(kernel, &from, &hash);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    const char *command = count > 1 ? arguments[1] : "";
    int code = 2;
    if (strcmp(command, "answers") == 0 && count == 2) {
        code = answers(NULL);
    } else if (strcmp(command, "check") == 0 && count == 3) {
        FILE *expected = fopen(arguments[2], "r");
        if (expected == NULL) return perror(arguments[2]), 2;
        code = answers(expected);
        fclose(expected);
    } else if (strcmp(command, "fuzz") == 0 && (count == 3 || count == 4)) {
        code = fuzz(strtoull(arguments[2], NULL, 10),
                    count == 4 ? strtoull(arguments[3], NULL, 10) : 0);
    } else if (strcmp(command, "replay") == 0 && count > 3) {
        for (int i = 0; i < KERNEL_COUNT; i++)
            if (strcmp(arguments[2], KERNELS[i].name) == 0)
                for (code = 0, count--; code == 0 && count > 2; count--)
                    code = replay(&KERNELS[i], arguments[count]);
    }
    if (code == 2) fputs("usage: see the head of driver.c\n", stderr);
    for (int i = 0; code == 0 && imalign_level_name(i); i++)
        if (imalign_has_level(i)) fprintf(stderr, "%s: well\n", imalign_level_name(i));
    return code;
}
