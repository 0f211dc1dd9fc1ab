/* How a call of each kernel is drawn: draw_NAME for every line of IMALIGN_KERNELS. */
#ifndef CASES_H
#define CASES_H

#include "draw.h"

static inline void draw_sample(struct stream *from, struct imalign_sample *call) {
    struct size source = draw_size(from), window = draw_size(from);
    call->source = draw_plane(from, FLOAT32, source, -1.0, 256.0);
    call->window = draw_output(from, FLOAT32, window, 0, 0, 0);
    draw_warp(from, source, call->warp);
    draw_run(from, window.height, &call->first_row, &call->end_row);
    call->replicate = draw_once_in(from, 2);
}

static inline void draw_rows(struct stream *from, struct imalign_rows *call) {
    call->width = draw_side(from);
    call->rows = draw_whole(from, 1, 12);
    call->apart = draw_once_in(from, 3) ? draw_whole(from, 2, 4) : 1;
    call->left = draw_once_in(from, 2) ? draw_whole(from, 0, 9) : 0;
    call->top = draw_once_in(from, 2) ? draw_whole(from, 0, 9) : 0;
    const int64_t lines = (call->rows - 1) * call->apart + 1;
    struct size run = {call->width, lines}, framed = {call->width + 2, lines + 2};
    if (draw_once_in(from, 2)) {
        call->image = draw_packed(from, FLOAT32, framed, 0.0, 255.0);
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
        if (draw_once_in(from, 3)) {
            call->source_left = draw_whole(from, 0, part.width - 2);
            call->source_top = draw_whole(from, 0, part.height - 2);
            part.width -= call->source_left, part.height -= call->source_top;
        }
        part.width = part.width < 4 ? 4 : part.width;
        part.height = part.height < 4 ? 4 : part.height;
        call->source = draw_packed(from, FLOAT32, part, 0.0, 255.0);
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
    call->scratch = draw_scratch(from, FLOAT32, IMALIGN_ROWS_SCRATCH(call->width));
    if (draw_once_in(from, 2)) {
        struct size shown = {call->width, call->rows};
        call->residual = draw_output(from, FLOAT32, shown, 0, 0, 0);
        call->inside = draw_output(from, BYTES, shown, 0, 0, 0);
    }
    call->sums = draw_numbers(from, FLOAT64, sizeof(struct imalign_sums) / 8, 1, 0, 0, 0);
    if (from->hostile && draw_once_in(from, 16)) {
        int64_t *const wrong[] = {&call->width,        &call->rows,        &call->apart,
                                  &call->source_width, &call->finer,       &call->loss,
                                  &call->source_left,  &call->source_height, &call->matrix_step};
        const int64_t values[] = {-1, INT64_MIN, INT64_MAX, -IMALIGN_LONGEST_SIDE};
        *wrong[draw_whole(from, 0, 8)] = values[draw_whole(from, 0, 3)];
    }
}

#endif
