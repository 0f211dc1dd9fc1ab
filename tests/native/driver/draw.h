/* Calls drawn at random: numbers, planes of any steps, outputs between guard bytes.
 *
 * Each buffer is an allocation of its own, exactly as long as it has to be where the address sanitizer
 * watches what lies beyond, and between guard bytes where it does not. The same seed draws the same call on every machine: so nothing
 * here rounds differently elsewhere, and a statement draws once, for C leaves open which argument
 * of a function is evaluated first. */
#ifndef DRAW_H
#define DRAW_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* ---- numbers ---- */

struct stream {
    const uint8_t *bytes; /* a file's, used up first */
    size_t left;
    uint64_t state; /* then those of a generator */
    int hostile;    /* draw what nobody should pass, too */
};

/* 64 random bits (splitmix64, Steele, Lea and Flood 2014). */
static inline uint64_t draw_bits(struct stream *from) {
    if (from->left >= 8) {
        uint64_t value = 0;
        for (int i = 0; i < 8; i++) value = value << 8 | from->bytes[i];
        from->bytes += 8, from->left -= 8;
        return value;
    }
    uint64_t z = from->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* low <= whole number <= high; low if there is none. */
static inline int64_t draw_whole(struct stream *from, int64_t low, int64_t high) {
    if (high < low) return low;
    return low + (int64_t)(draw_bits(from) % (uint64_t)(high - low + 1));
}

/* Once in so many times. */
static inline int draw_once_in(struct stream *from, int64_t times) {
    return draw_whole(from, 1, times) == 1;
}

/* low <= number < high. */
static inline double draw_real(struct stream *from, double low, double high) {
    return low + (high - low) * ((double)(draw_bits(from) >> 11) * 0x1p-53);
}

/* A number as `draw_real`; of a hostile stream now and then one that breaks what it can. */
static inline double draw_number(struct stream *from, double low, double high) {
    static const uint64_t bad[] = {
        0x7ff8000000000000, 0xfff8000000000000, /* NaN */
        0x7ff0000000000000, 0xfff0000000000000, /* infinities */
        0x7fefffffffffffff, 0xffefffffffffffff, /* the largest */
        0x0000000000000001, 0x8000000000000000, /* the smallest, -0 */
        0x41dfffffffc00000, 0xc1e0000000000000, /* the ends of 32 bits */
        0x43e0000000000000, 0x3e70000000000000, /* 2^63, 2^-24 */
    };
    if (!from->hostile || !draw_once_in(from, 12)) return draw_real(from, low, high);
    double value;
    memcpy(&value, &bad[draw_whole(from, 0, sizeof bad / sizeof *bad - 1)], sizeof value);
    return value;
}

/* A side of an image: around the lanes' number, one, and whatever else. */
static inline int64_t draw_side(struct stream *from) {
    static const int64_t sides[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 64, 65};
    if (from->hostile && draw_once_in(from, 24)) return 0;
    if (draw_once_in(from, 3)) return draw_whole(from, 1, 70);
    return sides[draw_whole(from, 0, sizeof sides / sizeof *sides - 1)];
}

struct size {
    int64_t width, height;
};

static inline struct size draw_size(struct stream *from) {
    struct size drawn;
    drawn.width = draw_side(from);
    drawn.height = draw_side(from);
    return drawn;
}

/* ---- buffers ---- */

enum item { FLOAT32, FLOAT64, INT64, BYTES }; /* what a buffer holds */

static inline int64_t item_size(enum item item) {
    return item == FLOAT32 ? 4 : item == BYTES ? 1 : 8;
}

#if defined __SANITIZE_ADDRESS__
enum { GUARD = 0 };
#else
enum { GUARD = 256 };
#endif

struct buffer {
    uint8_t *memory, *before; /* and a copy of what it held before the call */
    size_t length;
    enum item item;
    int written;             /* by the call; else it must not change */
    const char *record;      /* what is at each 8 bytes, d or q: double or int64; NULL: the items */
    int scratch;             /* of the call's own: what it holds afterwards is of no interest */
    int64_t row, rows, step; /* the bytes that may be written: `rows` times `row` */
};

enum { MOST_BUFFERS = 64 };

static struct buffer buffers[MOST_BUFFERS];
static int buffer_count;

static inline struct buffer *new_buffer(size_t length, enum item item, int written) {
    if (buffer_count == MOST_BUFFERS) fputs("too many buffers\n", stderr), exit(2);
    struct buffer *made = &buffers[buffer_count++];
    *made = (struct buffer){.length = length, .item = item, .written = written};
    made->memory = malloc(length + 2 * GUARD + !length);
    made->before = malloc(length + !length);
    if (!made->memory || !made->before) fputs("no memory\n", stderr), exit(2);
    memset(made->memory, 0xc3, length + 2 * GUARD);
    made->memory += GUARD;
    return made;
}

static inline int guards_hold(const struct buffer *buffer) {
    for (int i = 0; i < GUARD; i++)
        if (buffer->memory[-1 - i] != 0xc3 || buffer->memory[(int64_t)buffer->length + i] != 0xc3)
            return 0;
    return 1;
}

static inline void free_buffers(void) {
    while (buffer_count > 0) {
        struct buffer *last = &buffers[--buffer_count];
        free(last->memory - GUARD), free(last->before);
    }
}

static inline void put(uint8_t *at, enum item item, double value) {
    float narrow = (float)value;
    uint8_t byte = (uint8_t)(value > 0.0 && value < 256.0 ? value : 0.0);
    const void *from = item == FLOAT32 ? (void *)&narrow : item == BYTES ? (void *)&byte : &value;
    memcpy(at, from, (size_t)item_size(item));
}

/* A plane to be read, of values low <= value < high (bytes: whole ones, and 0 below), whose rows are
 * upside down, overlap, are unaligned, repeat each other, or leave gaps. */
static inline struct imalign_plane draw_stepped(struct stream *from, enum item item,
                                                struct size sides, int64_t step_x, double low,
                                                double high) {
    int64_t size = item_size(item), width = sides.width, height = sides.height;
    int64_t line = (step_x < 0 ? -step_x : step_x) * width + size;
    const int64_t down[] = {line, line, line + 3, -line, -line - 5, 0, size};
    int64_t step_y = down[draw_whole(from, 0, 6)];
    if (width == 0 || height == 0)
        return (struct imalign_plane){NULL, width, height, step_x, step_y};

    int64_t to_x = (width - 1) * step_x, to_y = (height - 1) * step_y;
    int64_t first = (to_x < 0 ? to_x : 0) + (to_y < 0 ? to_y : 0);
    int64_t last = (to_x > 0 ? to_x : 0) + (to_y > 0 ? to_y : 0);
    struct buffer *buffer = new_buffer((size_t)(last - first + size), item, 0);
    uint8_t *origin = buffer->memory - first;
    memset(buffer->memory, 0x5a, buffer->length);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            put(origin + x * step_x + y * step_y, item, draw_number(from, low, high));
    memcpy(buffer->before, buffer->memory, buffer->length);

    struct imalign_plane plane = {origin, width, height, step_x, step_y};
    if (from->hostile && draw_once_in(from, 40)) {
        switch (draw_whole(from, 0, 6)) {
            case 0: plane.data = NULL; break;
            case 1: plane.width = -plane.width; break;
            case 2: plane.height = INT64_MAX; break;
            case 3: plane.width = IMALIGN_LONGEST_SIDE + 1; break;
            case 4: plane.height = 3, plane.step_y = INT64_MAX; break;
            /* Not wrong: one row, or one column, has no use for its step. */
            case 5: plane.height = 1, plane.step_y = INT64_MIN; break;
            case 6: plane.width = 1, plane.step_x = INT64_MIN; break;
        }
    }
    return plane;
}

/* The same, with the pixels of a row in any order and at any distance. */
static inline struct imalign_plane draw_plane(struct stream *from, enum item item,
                                              struct size sides, double low, double high) {
    int64_t size = item_size(item);
    const int64_t across[] = {size, size, size, -size, 2 * size, size + 1, 0};
    int64_t step_x = across[draw_whole(from, 0, 6)];
    return draw_stepped(from, item, sides, step_x, low, high);
}

/* The same, with the pixels of a row side by side, as some kernels ask for. */
static inline struct imalign_plane draw_packed(struct stream *from, enum item item,
                                               struct size sides, double low, double high) {
    if (from->hostile && draw_once_in(from, 20)) return draw_plane(from, item, sides, low, high);
    return draw_stepped(from, item, sides, item_size(item), low, high);
}

/* None where a kernel can do without, else a packed one. */
static inline struct imalign_plane draw_perhaps(struct stream *from, enum item item,
                                                struct size sides, double low, double high) {
    if (draw_once_in(from, 2)) return (struct imalign_plane){0};
    return draw_packed(from, item, sides, low, high);
}

/* A plane to be written, with guard bytes between its rows. `keep`: the call reads it as well, so
 * it begins with values low <= value < high. */
static inline struct imalign_output draw_output(struct stream *from, enum item item,
                                                struct size sides, int keep, double low,
                                                double high) {
    int64_t width = sides.width, height = sides.height;
    int64_t row = width * item_size(item), step = row + draw_whole(from, 0, 9);
    if (width == 0 || height == 0) return (struct imalign_output){NULL, width, height, step};
    struct buffer *buffer = new_buffer((size_t)((height - 1) * step + row), item, 1);
    buffer->row = row, buffer->rows = height, buffer->step = step;
    memset(buffer->memory, 0xa5, buffer->length);
    for (int64_t y = 0; keep && y < height; y++)
        for (int64_t x = 0; x < row; x += item_size(item))
            put(buffer->memory + y * step + x, item, draw_number(from, low, high));
    memcpy(buffer->before, buffer->memory, buffer->length);
    if (draw_once_in(from, 4)) /* upside down */
        return (struct imalign_output){buffer->memory + (height - 1) * step, width, height, -step};
    return (struct imalign_output){buffer->memory, width, height, step};
}

/* `count` numbers side by side, to be read (written: 0) or written. */
static inline void *draw_numbers(struct stream *from, enum item item, int64_t count, int written,
                                 int keep, double low, double high) {
    int64_t size = item_size(item);
    struct buffer *buffer = new_buffer((size_t)(count * size), item, written);
    buffer->row = buffer->step = count * size, buffer->rows = 1;
    memset(buffer->memory, 0xa5, buffer->length);
    for (int64_t i = 0; (!written || keep) && i < count; i++)
        put(buffer->memory + i * size, item, draw_number(from, low, high));
    memcpy(buffer->before, buffer->memory, buffer->length);
    return buffer->memory;
}

/* `count` structures to be written, of doubles (d) and int64 (q) in the order of `record`. */
static inline void *draw_records(struct stream *from, const char *record, int64_t count) {
    void *memory = draw_numbers(from, INT64, count * (int64_t)strlen(record), 1, 0, 0, 0);
    buffers[buffer_count - 1].record = record;
    return memory;
}

/* `count` whole numbers side by side, to be read: at even places within 0 <= number < even, else
 * within 0 <= number < odd. */
static inline void *draw_indices(struct stream *from, int64_t count, int64_t even, int64_t odd) {
    uint8_t *indices = draw_numbers(from, INT64, count, 0, 0, 0, 0);
    for (int64_t i = 0; i < count; i++) {
        int64_t index = draw_whole(from, 0, (i % 2 ? odd : even) - 1);
        if (from->hostile && draw_once_in(from, 500)) index += draw_once_in(from, 2) ? -1 : 1;
        memcpy(indices + i * 8, &index, sizeof index);
    }
    memcpy(buffers[buffer_count - 1].before, indices, buffers[buffer_count - 1].length);
    return indices;
}

/* `count` values for the call to compute with. */
static inline void *draw_scratch(struct stream *from, enum item item, int64_t count) {
    void *memory = draw_numbers(from, item, count, 1, 0, 0, 0);
    buffers[buffer_count - 1].scratch = 1;
    return memory;
}

/* A warp from a window to a source of that size: near the identity, turned, with or without a
 * perspective, and now and then with the horizon inside, or far away. */
static inline void draw_warp(struct stream *from, struct size source, double warp[9]) {
    double spread = draw_once_in(from, 3) ? 1.5 : 0.05;
    double tilt = draw_once_in(from, 2) ? 0.0 : draw_once_in(from, 4) ? 0.1 : 1e-3;
    double shift = draw_once_in(from, 8) ? 1e5 : 3.0;
    for (int i = 0; i < 9; i++) {
        double unit = i % 4 == 0;
        double by = i == 8 ? 0.0 : i >= 6 ? tilt : i % 3 == 2 ? shift : spread;
        warp[i] = draw_number(from, unit - by, unit + by);
    }
    if (draw_once_in(from, 6)) { /* exactly the identity, where places are whole */
        static const double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
        memcpy(warp, identity, sizeof identity);
    } else if (draw_once_in(from, 6)) { /* upside down */
        warp[0] = -warp[0], warp[2] += (double)source.width;
        warp[4] = -warp[4], warp[5] += (double)source.height;
    }
}

/* Rows to be worked on: most often all, else some; of a hostile stream wrong ones. */
static inline void draw_run(struct stream *from, int64_t height, int64_t *first, int64_t *end) {
    *first = 0, *end = height;
    if (draw_once_in(from, 3)) {
        *first = draw_whole(from, 0, height);
        *end = draw_whole(from, *first, height);
    }
    if (from->hostile && draw_once_in(from, 40)) *end += draw_once_in(from, 2) ? 1 : INT64_MIN / 2;
    if (from->hostile && draw_once_in(from, 40)) *first -= 1;
}

#endif
