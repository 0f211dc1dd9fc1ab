/* How a call of each kernel is drawn: draw_NAME for every line of IMALIGN_KERNELS. */
#ifndef CASES_H
#define CASES_H

#include "draw.h"

static inline void draw_sample(struct stream *from, struct imalign_sample *call) {
    struct size source = draw_size(from), window = draw_size(from);
    call->source = draw_plane(from, FLOAT32, source, -1.0, 256.0);
    call->window = draw_output(from, FLOAT32, window, 0, 0, 0);
    draw_warp(from, source, call->warp);
    draw_rows(from, window.height, &call->first_row, &call->end_row);
    call->replicate = draw_once_in(from, 2);
}

#endif
