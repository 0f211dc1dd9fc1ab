/* How a call of each kernel is drawn: draw_NAME for every line of IMALIGN_KERNELS. */
#ifndef CASES_H
#define CASES_H

#include "draw.h"

/* A image of pixels of any kind, with at most so many pixels a side. */
static inline struct imalign_filtered draw_filtered(struct stream *from, struct size sides) {
    static const int64_t kinds[] = {1, 1, 2, 4}, channels[] = {1, 1, 2, 3, 4};
    struct imalign_filtered image = {.kind = kinds[draw_whole(from, 0, 3)],
                                      .channels = channels[draw_whole(from, 0, 4)]};
    const enum item item = image.kind == 4 ? FLOAT32 : BYTES;
    const int64_t of_pixel = image.channels * image.kind;
    const struct size values = {sides.width * of_pixel / item_size(item), sides.height};
    image.pixels = draw_stepped(from, item, values, item_size(item), 0.0, 255.0);
    image.channel_step = image.kind;
    if (image.pixels.width == values.width) { /* else it was made hostile */
        image.pixels.width = sides.width;
        image.pixels.step_x = of_pixel;
        if (sides.width > 0 && draw_once_in(from, 4)) { /* backwards */
            const uint8_t *first = image.pixels.data;
            if (first) image.pixels.data = first + (sides.width - 1) * of_pixel;
            image.pixels.step_x = -of_pixel;
        }
    } else {
        image.channels = 1;
    }
    image.weights = draw_numbers(from, FLOAT32, image.channels, 0, 0, 0.1, 0.9);
    image.reach = draw_whole(from, 0, IMALIGN_MOST_REACH);
    for (int64_t i = 0; i <= image.reach; i++)
        image.kernel[i] = draw_number(from, 0.0, 0.5);
    if (from->hostile && draw_once_in(from, 16)) {
        int64_t *const wrong[] = {&image.kind, &image.channels, &image.reach};
        const int64_t values_of[] = {-1, 0, INT64_MIN, INT64_MAX};
        *wrong[draw_whole(from, 0, 2)] = values_of[draw_whole(from, 0, 3)];
        image.reach = image.reach == 0 ? 9 : image.reach;
        image.kind = image.kind == 0 ? 3 : image.kind;
    }
    return image;
}

static inline void draw_smooth(struct stream *from, struct imalign_smooth *call) {
    struct size window = draw_size(from), sides = draw_size(from);
    if (!from->hostile) sides.width += !sides.width, sides.height += !sides.height;
    call->image = draw_filtered(from, sides);
    call->window = draw_output(from, FLOAT32, window, 0, 0, 0);
    call->left = draw_whole(from, -9, 20);
    call->top = draw_whole(from, -9, 20);
    call->step = draw_whole(from, 1, 2);
    call->scratch = draw_scratch(from, FLOAT32, IMALIGN_SMOOTH_SCRATCH(window.width));
    if (from->hostile && draw_once_in(from, 16)) {
        int64_t *const wrong[] = {&call->left, &call->top, &call->step};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, IMALIGN_LONGEST_SIDE + 1};
        *wrong[draw_whole(from, 0, 2)] = values[draw_whole(from, 0, 3)];
    }
}

/* The record of a structure of so many numbers, the last of which is a count. */
static inline const char *a_sum(size_t numbers) {
    static char records[2][512];
    static int next;
    char *record = records[next = !next];
    memset(record, 'd', numbers);
    record[numbers - 1] = 'q', record[numbers] = 0;
    return record;
}

static inline void draw_rows(struct stream *from, struct imalign_rows *call) {
    call->width = draw_side(from);
    call->rows = draw_whole(from, 1, 12);
    call->row_step = draw_once_in(from, 3) ? draw_whole(from, 2, 4) : 1;
    call->left = draw_once_in(from, 2) ? draw_whole(from, 0, 9) : 0;
    call->top = draw_once_in(from, 2) ? draw_whole(from, 0, 9) : 0;
    const int64_t lines = (call->rows - 1) * call->row_step + 1;
    call->band_rows = draw_once_in(from, 2) ? lines : draw_whole(from, 1, lines);
    call->band_period = call->band_rows + (draw_once_in(from, 2) ? 0 : draw_whole(from, 0, 9));
    call->band_first = draw_once_in(from, 2) ? 0 : draw_whole(from, 0, call->band_rows - 1);
    const int64_t last = call->band_first + lines - 1;
    const int64_t in_level = last / call->band_rows * call->band_period + last % call->band_rows -
                             call->band_first + 1;
    struct size run = {call->width, lines}, framed = {call->width + 2, in_level + 2};
    const int framed_kind = (int)draw_whole(from, 0, 2);
    if (framed_kind == 1) {
        call->image = draw_packed(from, FLOAT32, framed, 0.0, 255.0);
    } else if (framed_kind == 2) {
        struct size sides = {framed.width + 3, framed.height};
        call->target = draw_filtered(from, sides);
    } else {
        call->image = draw_packed(from, FLOAT32, run, 0.0, 255.0);
        call->gradient_x = draw_packed(from, FLOAT32, run, -20.0, 20.0);
        call->gradient_y = draw_packed(from, FLOAT32, run, -20.0, 20.0);
    }
    call->column = draw_perhaps(from, FLOAT32, run, -100.0, 100.0);
    call->weight = draw_perhaps(from, FLOAT32, run, 0.0, 1.0);
    call->valid = draw_perhaps(from, BYTES, run, -32.0, 256.0);

    struct size level = draw_size(from);
    level.width += 1, level.height += 1;
    call->source_width = level.width, call->source_height = level.height;
    call->source_valid = draw_perhaps(from, BYTES, level, -16.0, 256.0);
    call->spline = draw_once_in(from, 3);
    call->finer = draw_whole(from, 1, 2);
    call->margin = call->spline ? 2.0 : (double)draw_whole(from, 0, 2);
    if (draw_once_in(from, 3)) call->margin += draw_number(from, 0.0, 2.0);
    if (draw_once_in(from, 4)) {
        call->sampled = draw_packed(from, FLOAT32, run, 0.0, 255.0);
    } else {
        struct size part = {level.width * call->finer, level.height * call->finer};
        part.width = part.width < 4 ? 4 : part.width;
        part.height = part.height < 4 ? 4 : part.height;
        if (draw_once_in(from, 2))
            call->source = draw_packed(from, FLOAT32, part, 0.0, 255.0);
        else
            call->original = draw_filtered(from, part);
    }
    draw_warp(from, level, call->warp);

    double *const numbers[] = {&call->mean, &call->x_scale, &call->x_offset, &call->y_scale,
                               &call->y_offset};
    const double most[] = {128.0, 0.03, 1.0, 0.03, 1.0};
    for (int i = 0; i < 5; i++) *numbers[i] = draw_number(from, -most[i], most[i]);
    int terms = draw_once_in(from, 2) ? 1 : 6;
    for (int i = 0; i < terms; i++) {
        call->factor[i] = (i == 0) + draw_number(from, -0.2, 0.2);
        call->offset[i] = draw_number(from, -9.0, 9.0);
    }
    call->loss = draw_whole(from, 0, IMALIGN_LOSSES - 1);
    call->unit = draw_number(from, 1.0, 90.0);
    call->texture = draw_number(from, 0.0, 100.0);
    call->weigh_noise = draw_once_in(from, 2);
    call->matrix_step = draw_whole(from, 0, 3);
    call->matrix_first = call->matrix_step ? draw_whole(from, 0, call->matrix_step - 1) : 0;
    call->scratch = draw_scratch(
        from, FLOAT32, IMALIGN_ROWS_SCRATCH(call->width) + IMALIGN_FILTERED_SCRATCH(call->width));
    if (draw_once_in(from, 2)) {
        struct size shown = {call->width, call->rows};
        call->residual = draw_output(from, FLOAT32, shown, 0, 0, 0);
        call->inside = draw_output(from, BYTES, shown, 0, 0, 0);
    }
    call->sums = draw_records(from, a_sum(sizeof *call->sums / 8), 1);
    if (from->hostile && draw_once_in(from, 16)) {
        int64_t *const wrong[] = {&call->width,        &call->rows,        &call->row_step,
                                  &call->source_width, &call->finer,       &call->loss,
                                  &call->band_first,   &call->source_height, &call->matrix_step,
                                  &call->band_period,  &call->matrix_first,  &call->left,
                                  &call->top};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, -IMALIGN_LONGEST_SIDE};
        *wrong[draw_whole(from, 0, 12)] = values[draw_whole(from, 0, 3)];
    }
}

static inline void draw_select_points(struct stream *from, struct imalign_select_points *call) {
    struct size level = draw_size(from);
    level.width += 4, level.height += 4;
    call->image = draw_packed(from, FLOAT32, level, 0.0, 255.0);
    call->cell = draw_whole(from, 1, 3);
    call->step = draw_whole(from, 1, 3);
    call->left = draw_whole(from, 1, 3);
    call->across = (level.width - 2 - call->left) / call->step + 1;
    call->down = draw_whole(from, 0, level.height);
    if (draw_once_in(from, 2)) {
        struct size candidates = {call->across, call->down};
        call->valid = draw_plane(from, BYTES, candidates, -64.0, 256.0);
    }
    int64_t *rows = draw_indices(from, call->down, level.height - 2, level.height - 2);
    for (int64_t k = 0; k < call->down; k++) rows[k] += 1;
    if (call->down) memcpy(buffers[buffer_count - 1].before, rows, (size_t)call->down * 8);
    call->row = rows;
    call->x_scale = draw_number(from, 0.01, 0.1), call->x_offset = draw_number(from, -1.0, 0.0);
    call->y_scale = draw_number(from, 0.01, 0.1), call->y_offset = draw_number(from, -1.0, 0.0);
    const int64_t cells = (call->across / call->cell) * (call->down / call->cell);
    const int64_t padded = (cells + 15) / 16 * 16;
    call->table = draw_numbers(from, FLOAT32, IMALIGN_POINT_ROWS * padded, 1, 0, 0, 0);
    call->found = draw_records(from, "dddqq", 1);
    if (from->hostile && draw_once_in(from, 16)) {
        int64_t *const wrong[] = {&call->left, &call->step, &call->cell};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, IMALIGN_LONGEST_SIDE + 1};
        *wrong[draw_whole(from, 0, 2)] = values[draw_whole(from, 0, 3)];
    }
}

static inline void draw_points(struct stream *from, struct imalign_points *call) {
    struct size level = draw_size(from);
    call->source = draw_packed(from, FLOAT32, level, 0.0, 255.0);
    call->count = draw_whole(from, 1, 90);
    const int64_t count = call->count, padded = (count + 15) / 16 * 16;
    static const int64_t motions[] = {2, 3, 4, 6, 8}, terms[] = {0, 1, 6};
    call->motion = motions[draw_whole(from, 0, 4)];
    call->terms = terms[draw_whole(from, 0, 2)];
    for (int64_t a = 0; a < call->motion; a++)
        for (int k = 0; k < 8; k++)
            if (draw_once_in(from, 3)) call->basis[a][k] = draw_number(from, -1.0, 1.0);
    call->correct_curvature = draw_once_in(from, 2);
    uint8_t *table = draw_numbers(from, FLOAT32, IMALIGN_POINT_ROWS * padded, 0, 0, -20.0, 60.0);
    for (int64_t i = 0; i < IMALIGN_POINT_ROWS; i++)
        memset(table + (i * padded + count) * 4, 0, (size_t)(padded - count) * 4);
    memcpy(buffers[buffer_count - 1].before, table, buffers[buffer_count - 1].length);
    call->table = (const float *)(const void *)table;
    call->ranked_count = draw_whole(from, 0, count);
    call->ranked = draw_indices(from, call->ranked_count, count, count);

    draw_warp(from, level, call->warp);
    call->reach = draw_whole(from, 0, 2);
    call->known = draw_number(from, 200.0, 260.0);
    call->varies = draw_once_in(from, 2);
    for (int i = 0; i < (call->varies ? 6 : 1); i++) {
        call->factor[i] = (i == 0) + draw_number(from, -0.2, 0.2);
        call->offset[i] = draw_number(from, -9.0, 9.0);
    }
    call->loss = draw_whole(from, 0, IMALIGN_LOSSES - 1);
    call->constant = draw_number(from, 1.0, 5.0);
    call->scale = draw_once_in(from, 2) ? draw_number(from, 1.0, 30.0) : 0.0;
    call->at_least = draw_number(from, 0.0, 9.0);
    call->least_scale = draw_number(from, 1e-3, 1e-2);
    call->noise = draw_number(from, 0.0, 9.0);
    call->spread = draw_number(from, 10.0, 60.0);
    call->least_noise = draw_number(from, 0.0, 1e-2);
    call->most_noise = draw_number(from, 0.1, 0.5);
    call->with_matrix = draw_once_in(from, 2);
    call->scratch = draw_scratch(from, FLOAT32, IMALIGN_POINTS_SCRATCH(count));
    if (draw_once_in(from, 4))
        call->values = draw_numbers(from, FLOAT32, padded, 1, 0, 0, 0);
    if (!call->values || draw_once_in(from, 2))
        call->sums = draw_records(from, a_sum(sizeof *call->sums / 8), 1);
    if (from->hostile && draw_once_in(from, 16)) {
        int64_t *const wrong[] = {&call->count, &call->ranked_count, &call->motion,
                                  &call->terms, &call->reach,        &call->loss};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, IMALIGN_LONGEST_SIDE + 1};
        *wrong[draw_whole(from, 0, 5)] = values[draw_whole(from, 0, 3)];
    }
}

/* One or two planes, of one size. */
static inline void draw_planes(struct stream *from, int64_t planes, struct size sides,
                               struct imalign_plane found[2]) {
    for (int64_t p = 0; p < planes; p++) found[p] = draw_packed(from, FLOAT32, sides, 0.0, 255.0);
}

static inline void draw_windows(struct stream *from, struct imalign_windows *call) {
    call->planes = draw_whole(from, 1, 2);
    const int64_t side = call->side = draw_whole(from, 1, IMALIGN_LONGEST_TILE);
    struct size places = draw_size(from), target = draw_size(from);
    struct size warped = {places.width + side - 1, places.height + side - 1};
    target.width += side, target.height += side;
    draw_planes(from, call->planes, warped, call->warped);
    draw_planes(from, call->planes, target, call->target);
    call->whole = draw_plane(from, BYTES, places, -32.0, 256.0);
    call->count = draw_whole(from, 1, 3);
    call->corner = draw_indices(from, 2 * call->count, target.width - side, target.height - side);
    call->reach = draw_whole(from, 0, 9);
    call->displaced_x = draw_whole(from, -4, 4);
    call->displaced_y = draw_whole(from, -4, 4);
    call->stationary = draw_whole(from, 0, 2);
    call->peak_radius = draw_whole(from, 0, 3);
    call->fewest_positions = draw_whole(from, 0, 9);
    call->tie_margin = draw_number(from, 0.0, 0.05);
    call->distinct_margin = draw_number(from, 0.0, 0.2);
    call->least_correlation = draw_number(from, 0.0, 0.6);
    int64_t across = 2 * call->reach + 1, down = across;
    across = across < places.width ? across : places.width;
    down = down < places.height ? down : places.height;
    call->scratch = draw_scratch(from, FLOAT32, IMALIGN_WINDOWS_SCRATCH(across, down));
    call->found = draw_records(from, "dqqqqqq", call->count);
    if (from->hostile && draw_once_in(from, 8)) {
        int64_t *const wrong[] = {&call->planes,      &call->side,        &call->count,
                                  &call->displaced_x, &call->displaced_y, &call->stationary,
                                  &call->peak_radius,  &call->fewest_positions};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, -IMALIGN_LONGEST_SIDE};
        *wrong[draw_whole(from, 0, 7)] = values[draw_whole(from, 0, 3)];
    }
}

static inline void draw_tiles(struct stream *from, struct imalign_tiles *call) {
    call->planes = draw_whole(from, 1, 2);
    const int64_t side = call->side = draw_whole(from, 1, IMALIGN_LONGEST_TILE);
    struct size source = draw_size(from), target = draw_size(from);
    source.width += 1, source.height += 1, target.width += side, target.height += side;
    draw_planes(from, call->planes, target, call->target);
    for (int64_t p = 0; p < call->planes; p++)
        call->source[p] = draw_packed(from, FLOAT32, source, 0.0, 255.0);
    call->count = draw_whole(from, 1, 3);
    call->corner = draw_indices(from, 2 * call->count, target.width - side, target.height - side);
    call->begin = draw_numbers(from, FLOAT64, 2 * call->count, 0, 0, -2.0, 2.0);
    call->steps = draw_whole(from, 0, 4);
    draw_warp(from, source, call->warp);
    call->small = draw_number(from, 0.0, 0.1);
    call->reach = draw_number(from, 0.0, 4.0);
    call->singular = draw_number(from, 1e-4, 1e-2);
    call->found = draw_records(from, "ddddddddd", call->count);
    if (from->hostile && draw_once_in(from, 8)) {
        int64_t *const wrong[] = {&call->planes, &call->side, &call->count, &call->steps};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, -IMALIGN_LONGEST_SIDE};
        *wrong[draw_whole(from, 0, 3)] = values[draw_whole(from, 0, 3)];
    }
}

static inline void draw_suppress(struct stream *from, struct imalign_suppress *call) {
    struct size places = draw_size(from);
    call->taken = draw_output(from, BYTES, places, 1, 0.0, 1.0); /* bytes below 1: all 0 */
    call->count = places.width && places.height ? draw_whole(from, 0, 40) : 0;
    call->place = draw_indices(from, 2 * call->count, places.width, places.height);
    call->reach = draw_whole(from, 0, 9);
    call->kept = draw_numbers(from, BYTES, call->count, 1, 0, 0, 0);
    if (from->hostile && draw_once_in(from, 8)) {
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, IMALIGN_LONGEST_SIDE + 1};
        *(draw_once_in(from, 2) ? &call->count : &call->reach) = values[draw_whole(from, 0, 3)];
    }
}

static inline void draw_cells(struct stream *from, struct imalign_cells *call) {
    struct size image = draw_size(from);
    struct size cells = {image.width / IMALIGN_CELL, image.height / IMALIGN_CELL};
    if (draw_once_in(from, 4)) cells.width = draw_whole(from, 0, cells.width);
    call->image = draw_packed(from, FLOAT32, image, 0.0, 255.0);
    struct imalign_output *const means[] = {&call->xx, &call->xy, &call->yy};
    for (int i = 0; i < 3; i++) *means[i] = draw_output(from, FLOAT32, cells, 0, 0, 0);
    draw_run(from, cells.height, &call->first, &call->end);
    call->scratch = draw_scratch(from, FLOAT32, IMALIGN_CELLS_SCRATCH(image.width));
}

#endif
