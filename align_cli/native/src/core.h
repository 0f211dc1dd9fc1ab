/* The native core: the per-pixel computations of imalign, as plain functions over plain buffers.
 *
 * REPRODUCIBILITY. The same call gives the same bits on every level (SSE2, AVX2, AVX-512,
 * NEON), for any number of threads, from any compiler that keeps IEEE 754 (gcc and clang with the
 * flags of build_backend/compile.py). So:
 *   - a sum runs over LANES = 16 virtual lanes, in the order of the pixels, and the lanes are added
 *     in one fixed tree at the end, however wide the registers are;
 *   - no multiplication is fused with an addition (-ffp-contract=off), nothing is reassociated;
 *   - no function of libm is called: + - * / and the square root are exact to the last bit, exp is
 *     not;
 *   - the state of the floating-point unit (rounding, flush to zero) is set on entry and restored
 *     on return, whatever another library has set.
 * NaN is excepted: a NaN in gives a NaN out, of any payload. Mask invalid values before use.
 *
 * EVERY ENTRY takes one structure, reads nothing else, writes only what its fields specify, retains
 * no memory and no thread, and returns IMALIGN_OK or the code of the first error that it found, in
 * which case it wrote nothing. It may be called from any number of threads at once, and after a
 * fork.
 *
 * A NEW KERNEL needs a structure and a line of IMALIGN_KERNELS here, its body in a file that
 * kernels.inc includes, and its test calls, draw_NAME in tests/native/driver/cases.h.
 */
#ifndef IMALIGN_CORE_H
#define IMALIGN_CORE_H

#include <stdint.h>

#if defined _WIN32
#define IMALIGN_API __declspec(dllexport)
#else
#define IMALIGN_API __attribute__((visibility("default")))
#endif

/* Every kernel: the name of its structure and of its function, after "imalign_". */
#define IMALIGN_KERNELS(KERNEL) \
    KERNEL(smooth) \
    KERNEL(rows) \
    KERNEL(select_points) \
    KERNEL(points) \
    KERNEL(windows) \
    KERNEL(tiles) \
    KERNEL(suppress) \
    KERNEL(cells)

enum imalign_code {
    IMALIGN_OK = 0,
    IMALIGN_NO_BUFFER,     /* a pointer is NULL where there is something to read or write */
    IMALIGN_BAD_SIZE,      /* a size or a count is negative, too large or inconsistent */
    IMALIGN_BAD_STEP,      /* the bytes from the first to the last pixel do not fit into 64 bits */
    IMALIGN_BAD_ROWS,      /* a range of rows exceeds the output */
    IMALIGN_NOT_FINITE,    /* a coefficient is NaN or infinite */
    IMALIGN_NO_LEVEL,      /* there is no such level, or this processor does not support it */
    IMALIGN_CODES
};

#define IMALIGN_LONGEST_SIDE (INT64_C(1) << 29)

/* A grid of pixels that is read: pixel (x, y) is at data + x * step_x + y * step_y. Steps are in
 * bytes, of any sign and alignment, zero included. */
struct imalign_plane {
    const void *data;
    int64_t width, height;
    int64_t step_x, step_y;
};

/* A grid of pixels that is written. The pixels of a row are contiguous. */
struct imalign_output {
    void *data;
    int64_t width, height;
    int64_t step_y;
};

#define IMALIGN_MOST_REACH 4
#define IMALIGN_MOST_CHANNELS (1 << 16)

/* An image whose smoothed grey values are computed on demand.
 *
 * The grey value of a pixel is the sum of its channels times `weights`; both axes are smoothed by
 * the symmetric kernel that has kernel[0] in its centre and kernel[reach] at its ends. Beyond its
 * border the image is mirrored, without repeating the border pixels. */
struct imalign_filtered {
    struct imalign_plane pixels;
    int64_t kind;         /* bytes of a value: 1 or 2 unsigned, 4 float32 */
    int64_t channels, channel_step; /* how many, and the bytes from one to the next */
    const float *weights; /* of the channels */
    int64_t reach;
    double kernel[IMALIGN_MOST_REACH + 1];
};

/* A window of a smoothed image: every pixel, or every second along both axes.
 *
 * Output (i, k) is the smoothed pixel (step * (left + i), step * (top + k)). */
struct imalign_smooth {
    struct imalign_filtered image;
    struct imalign_output window; /* float32 */
    int64_t left, top, step;      /* step: 1 or 2 */
    float *scratch;               /* IMALIGN_SMOOTH_SCRATCH(width) values, overwritten */
};

#define IMALIGN_SMOOTH_SCRATCH(WIDTH) (14 * (((WIDTH) + 47) / 16 * 16))

/* The robust losses: the weight of u = residual / unit; the slope is the derivative of u w(u). */
enum imalign_loss {
    IMALIGN_L2 = 0,       /* 1 */
    IMALIGN_HUBER,        /* 1 / max(|u|, 1) */
    IMALIGN_TUKEY,        /* max(1 - u^2, 0)^2 */
    IMALIGN_LORENTZIAN,   /* 1 / (1 + u^2) */
    IMALIGN_GEMAN_MCCLURE,/* 1 / (1 + u^2)^2 */
    IMALIGN_LOSSES
};

/* The sums over a run of rows. */
struct imalign_sums {
    double moments[5][3][3];     /* sums of y^j x^i times gx w r, gy w r, T w r, w r, w */
    double tables[10][5][5];     /* of w times gx gx, gx gy, gy gy, gx T, gy T, gx, gy, T T, T, 1 */
    double weight_sum, squares, slope_sum; /* of w, w r r, and the slopes */
    int64_t count;               /* used pixels */
};

/* The sums over rows of the target under a warp, from which a Gauss-Newton step is solved.
 *
 * The planes hold bands of band_rows rows, at intervals of band_period rows of the level, stacked,
 * without the first `band_first` rows of the first band. Row k is line k * row_step of the planes,
 * and its first pixel is (left, top + line(k)) of the target's level, line(0) = 0. The residual of
 * a pixel is
 *     r = factor * source(warp) + offset - (image - mean)
 * with factor and offset polynomials of the normalised x = x_scale * column + x_offset and y, their
 * coefficients in the order 1, x, y, xx, xy, yy. A pixel is used if the warp maps it into the
 * source, `margin` pixels or more from its border, and if both masks are set there.
 *
 * The planes have width x ((rows - 1) * row_step + 1) pixels. If no gradient is given, it is the
 * central difference of `image`, which then has the level's rows, one line(k) after its first, and
 * one more pixel on each side; or of `target`, the filtered image that is the level. Planes whose
 * data is NULL are absent: no column (the image less its mean is used), no weights (those of the
 * loss are used), no masks. The source is a plane, or computed from the filtered image `original`;
 * if `sampled` is given it holds source(warp), and neither is read. The pixels of a row are
 * contiguous in all planes. */
struct imalign_rows {
    struct imalign_plane image, gradient_x, gradient_y, column, weight; /* float32 */
    struct imalign_plane valid;                                         /* bytes, 0 or not */
    struct imalign_plane source, sampled; /* float32 */
    struct imalign_plane source_valid;                                  /* bytes, 0 or not */
    struct imalign_filtered target, original;
    int64_t left, top, width, rows, row_step;
    int64_t band_first, band_rows, band_period;
    double mean, x_scale, x_offset, y_scale, y_offset;
    double warp[9];              /* pixel of the target's level -> pixel of the source's */
    int64_t source_width, source_height; /* in the pixels of `warp` */
    int64_t finer;               /* pixels of the source plane for each of those: 1 or 2 */
    int64_t spline;              /* 1: the source holds control points, and the margin is 2 or more */
    double margin;
    double factor[6], offset[6];
    int64_t loss;
    double unit;                 /* residual at which u is 1; any for l2 */
    double texture;              /* squared gradient above which a pixel has texture */
    int64_t weigh_noise;         /* whether the moments of w are requested */
    int64_t matrix_first, matrix_step; /* rows of the matrix: every n-th; step 0: none */
    float *scratch;              /* IMALIGN_ROWS_SCRATCH(width) values, overwritten; with filtered
                                    images IMALIGN_FILTERED_SCRATCH(width) more */
    struct imalign_output residual, inside; /* float32; bytes: 1 used, 3 used and textured */
    struct imalign_sums *sums;
};

#define IMALIGN_ROWS_SCRATCH(WIDTH) (7 * (((WIDTH) + 15) / 16 * 16))

#define IMALIGN_GROUP 32          /* rows that are computed from filtered images together */
#define IMALIGN_WINDOW (1 << 16)  /* pixels of a window of the source, at most */
#define IMALIGN_WINDOW_SIDE 1024  /* and its longer side */

#define IMALIGN_FILTERED_SCRATCH(WIDTH)                                  \
    (2 * (IMALIGN_GROUP + 2) * (((WIDTH) + 33) / 16 * 16) +              \
     IMALIGN_SMOOTH_SCRATCH((WIDTH) + IMALIGN_WINDOW_SIDE + 2) + IMALIGN_WINDOW)

/* The table of selected points of the target: rows of float32, a value for each point, then zeros
 * up to a multiple of 16. `unit` is the length in pixels of a unit of u and v, and g the gradient
 * per unit. */
enum imalign_point_row {
    IMALIGN_POINT_X = 0,       /* pixels of the level */
    IMALIGN_POINT_Y,
    IMALIGN_POINT_CURVATURE_X,      /* half the second differences */
    IMALIGN_POINT_CURVATURE_Y,
    IMALIGN_POINT_ENERGY,      /* squared gradient, per pixel */
    IMALIGN_POINT_MOTION,      /* g times dD/dp of a homography: gx u, gx v, gx, gy u, gy v, gy, */
                               /* -u (gx u + gy v), -v (gx u + gy v) */
    IMALIGN_POINT_FACTOR = IMALIGN_POINT_MOTION + 8, /* the image times the monomials: */
    IMALIGN_POINT_OFFSET = IMALIGN_POINT_FACTOR + 6, /* 1, u, v, u u, u v, v v */
    IMALIGN_POINT_ROWS = IMALIGN_POINT_OFFSET + 6
};

/* One point of each cell of `cell` by `cell` candidates: the one with the largest squared gradient.
 *
 * Candidate (i, k) is the pixel (left + i * step, row[k]); none is at the image's border. Those
 * whose byte of `valid` is 0, and those outside whole cells, are ignored. The gradient is the
 * central difference; u = x_scale * x + x_offset, and v likewise in y. */
struct imalign_select_points {
    struct imalign_plane image; /* float32, the pixels of a row contiguous */
    struct imalign_plane valid; /* bytes, a value for each candidate; may be absent */
    const int64_t *row;
    int64_t across, down, left, step, cell;
    double x_scale, x_offset, y_scale, y_offset;
    float *table;        /* rows of (across / cell) * (down / cell) values, and zeros to 16; but as */
                         /* many points as are found, each row padded to 16, are written */
    struct imalign_selected_points *found;
};

struct imalign_selected_points {
    double mean, spread, energy; /* of the candidates: mean and deviation of the grey values, and */
                                 /* mean squared gradient */
    int64_t candidates, count;   /* valid candidates; points */
};

/* The sums over selected points; see imalign_points. */
struct imalign_point_sums {
    double vector[20], matrix[400]; /* size, and size x size, size = motion + 2 terms */
    double weight_sum, squares, slope_sum;
    double scale, estimate;
    int64_t count; /* valid points */
};

/* The normal equations of selected points: columns^T w r and columns^T w columns.
 *
 * A point is valid if it is within the source, less `reach`, and if its linear sample is below
 * `known`. With `correct_curvature` the error of linear sampling, by the second differences, is
 * subtracted from the residual. A scale that is not above 0 is estimated from the ranked points. */
struct imalign_points {
    struct imalign_plane source; /* float32, large where it is not valid */
    const float *table;          /* see imalign_point_row */
    const int64_t *ranked;
    int64_t count, ranked_count;
    int64_t motion, terms; /* columns of the motion; of factor and of offset: 0, 1 or 6 */
    double basis[8][8];    /* those of the motion, each as a sum of the table's */
    double warp[9], factor[6], offset[6];
    int64_t correct_curvature;
    int64_t varies; /* whether factor or offset have more than their first coefficient */
    int64_t reach;
    double known;
    int64_t loss;
    double constant, scale, at_least, least_scale;
    double noise, spread, least_noise, most_noise; /* see attenuation_variance */
    int64_t with_matrix;
    float *values;  /* optional: the samples, padded to 16, `known` where they are not valid */
    float *scratch; /* IMALIGN_POINTS_SCRATCH(count) values, overwritten */
    struct imalign_point_sums *sums; /* optional: if NULL, only values are written */
};

#define IMALIGN_POINTS_SCRATCH(COUNT) (4 * (((COUNT) + 15) / 16 * 16))

#define IMALIGN_LONGEST_TILE 16

/* The search result of the window of a tile. */
struct imalign_window {
    double peak;                 /* ZNCC at the best position */
    int64_t offset_x, offset_y;  /* that position less the window's centre */
    int64_t positions;            /* how many there are */
    int64_t tested, stationary, distinct;
};

/* Tiles of the target, each correlated with every position of a window of the warped source.
 *
 * `whole` is not 0 where the top left corner of a tile may be. A window is searched if its displaced
 * centre is valid and it has enough positions; the tile is stationary if a position within
 * `stationary` of the centre is worse than the best by no more than `tie_margin`, and distinct if the
 * best correlates enough, is not at the window's edge, and exceeds every position beyond
 * `peak_radius` by `distinct_margin`. */
struct imalign_windows {
    struct imalign_plane warped[2], target[2]; /* float32, the pixels of a row contiguous */
    struct imalign_plane whole;                /* bytes */
    int64_t planes, side, reach;
    const int64_t *corner; /* x and y of each tile */
    int64_t count, displaced_x, displaced_y;
    int64_t stationary, peak_radius, fewest_positions;
    double tie_margin, distinct_margin, least_correlation;
    float *scratch; /* IMALIGN_WINDOWS_SCRATCH(...) values, overwritten */
    struct imalign_window *found;
};

/* For windows of at most ACROSS by DOWN positions. */
#define IMALIGN_WINDOWS_SCRATCH(ACROSS, DOWN) (5 * ((ACROSS) + 48) * ((DOWN) + 16))

/* The displacement of a tile, and the sums from which its covariance is computed. */
struct imalign_tile {
    double moved_x, moved_y, last; /* pixels; the longer component of the last step */
    double correlation;
    double shared_xx, shared_xy, shared_yy; /* products of both images' gradients */
    double squares; /* sum of the squared residuals */
    double cells;   /* sum of the squares of their means over cells of 4 pixels a side */
};

#define IMALIGN_MOST_STEPS 1000

/* A few Gauss-Newton steps for each tile independently, to its match in the source. */
struct imalign_tiles {
    struct imalign_plane source[2], target[2]; /* float32, the pixels of a row contiguous */
    int64_t planes, side;
    const int64_t *corner; /* x and y of each tile */
    const double *begin;   /* initial displacement of each, x and y */
    int64_t count, steps;
    double warp[9], small, reach, singular;
    struct imalign_tile *found;
};

/* Non-maximum suppression: positions in the order of their rank, less those within reach of one
 * that was kept before. */
struct imalign_suppress {
    const int64_t *place; /* x and y of each */
    int64_t count, reach;
    struct imalign_output taken; /* bytes, a value for each position; 0 initially */
    uint8_t *kept;
};

#define IMALIGN_CELL 4

/* The structure tensor of an image, averaged over cells of 4 by 4 pixels: the products of its
 * central differences, 0 in the first and the last row and column. */
struct imalign_cells {
    struct imalign_plane image; /* float32, the pixels of a row contiguous */
    struct imalign_output xx, xy, yy; /* float32, a value for each whole cell, or fewer */
    int64_t first, end;               /* rows of cells to write */
    float *scratch; /* IMALIGN_CELLS_SCRATCH(width) values, overwritten */
};

#define IMALIGN_CELLS_SCRATCH(WIDTH) (3 * (((WIDTH) + 15) / 16 * 16))

#define IMALIGN_DECLARE(NAME) IMALIGN_API int imalign_##NAME(const struct imalign_##NAME *call);
IMALIGN_KERNELS(IMALIGN_DECLARE)
#undef IMALIGN_DECLARE

/* The level in use, such as "avx2". The first use selects the best that the processor and the
 * system support. */
IMALIGN_API const char *imalign_level(void);

/* Use this level from now on, in all threads; NULL for the best. IMALIGN_NO_LEVEL: nothing changed. */
IMALIGN_API int imalign_set_level(const char *name);

/* The name of the i-th level of this library, slowest first; NULL beyond the last. */
IMALIGN_API const char *imalign_level_name(int i);

/* Whether this processor and system support the i-th level. */
IMALIGN_API int imalign_has_level(int i);

/* The name of the i-th kernel and the bytes of its structure; NULL and 0 beyond the last. */
IMALIGN_API const char *imalign_kernel_name(int i);
IMALIGN_API int64_t imalign_kernel_bytes(int i);

/* The message of a code. */
IMALIGN_API const char *imalign_message(int code);

/* The hash of the sources from which this library was built, 8 hexadecimal digits. */
IMALIGN_API const char *imalign_source_hash(void);

#endif
