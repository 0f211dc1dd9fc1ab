/* The native core: what imalign does to every pixel, as plain functions over plain buffers.
 *
 * THE PROMISE ABOUT BITS. The same call gives the same bits on every level (SSE2, AVX2, AVX-512,
 * NEON), for any number of threads, from any compiler that keeps IEEE 754 (gcc and clang with the
 * flags of build_backend/compile.py). So:
 *   - a sum runs over LANES = 16 virtual lanes, in the order of the pixels, and the lanes are added
 *     in one fixed tree at the end, however wide the registers are;
 *   - no multiplication is fused with an addition (-ffp-contract=off), nothing is reassociated;
 *   - no function of libm is called: + - * / and the square root are exact to the last bit, exp is
 *     not;
 *   - the state of the floating-point unit (rounding, flush to zero) is set at the entry and
 *     restored on the way out, whatever another library has made of it.
 * It ends at NaN: a NaN in gives a NaN out, of whatever payload. Where a value may be none, mask it
 * before it is used.
 *
 * EVERY ENTRY takes one structure, reads nothing else, writes only what its fields say, keeps no
 * memory and no thread, and answers IMALIGN_OK or the code of the first fault that it found, in
 * which case it wrote nothing. It may be called from any number of threads at once, and after a
 * fork.
 *
 * A NEW KERNEL is a structure and a line of IMALIGN_KERNELS here, its body in a file that
 * kernels.inc includes, and the calls that prove it, draw_NAME in tests/native/driver/cases.h.
 */
#ifndef IMALIGN_CORE_H
#define IMALIGN_CORE_H

#include <stdint.h>

#if defined _WIN32
#define IMALIGN_API __declspec(dllexport)
#else
#define IMALIGN_API __attribute__((visibility("default")))
#endif

/* Every kernel, as its structure and its function are called after "imalign_". */
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
    IMALIGN_BAD_SIZE,      /* a side or a count is negative, too large, or does not fit */
    IMALIGN_BAD_STEP,      /* the bytes from the first to the last pixel do not fit into 64 bits */
    IMALIGN_BAD_ROWS,      /* the rows are not within the output */
    IMALIGN_NOT_FINITE,    /* a coefficient is NaN or infinite */
    IMALIGN_NO_LEVEL,      /* there is no such level, or this processor lacks it */
    IMALIGN_CODES
};

#define IMALIGN_LONGEST_SIDE (INT64_C(1) << 29)

/* A grid of pixels that is read: pixel (x, y) lies at data + x * step_x + y * step_y. Steps are
 * bytes, of any sign and alignment, zero too. */
struct imalign_plane {
    const void *data;
    int64_t width, height;
    int64_t step_x, step_y;
};

/* A grid of pixels that is written. The pixels of a row lie side by side. */
struct imalign_output {
    void *data;
    int64_t width, height;
    int64_t step_y;
};

#define IMALIGN_MOST_REACH 4
#define IMALIGN_MOST_CHANNELS (1 << 16)

/* A picture whose grey values, smoothed, are made where they are looked at.
 *
 * The grey value of a pixel is the sum of its channels times `weights`; both axes are smoothed by
 * the symmetric kernel that has kernel[0] in its middle and kernel[reach] at its ends. Beyond its
 * border the picture is mirrored, the border pixels once. */
struct imalign_filtered {
    struct imalign_plane pixels;
    int64_t kind;         /* bytes of a value: 1 or 2 unsigned, 4 float32 */
    int64_t channels, channel_step; /* how many, and the bytes from one to the next */
    const float *weights; /* of the channels */
    int64_t reach;
    double kernel[IMALIGN_MOST_REACH + 1];
};

/* A window of a smoothed picture: every pixel of it, or every second along both axes.
 *
 * Output (i, k) is the smoothed pixel (step * (left + i), step * (top + k)). */
struct imalign_smooth {
    struct imalign_filtered picture;
    struct imalign_output window; /* float32 */
    int64_t left, top, step;      /* step: 1 or 2 */
    float *scratch;               /* IMALIGN_SMOOTH_SCRATCH(width) values, overwritten */
};

#define IMALIGN_SMOOTH_SCRATCH(WIDTH) (14 * (((WIDTH) + 47) / 16 * 16))

/* How residuals are weighed: a weight for u = residual / unit, and the slope of u times it. */
enum imalign_loss {
    IMALIGN_L2 = 0,       /* 1 */
    IMALIGN_HUBER,        /* 1 / max(|u|, 1) */
    IMALIGN_TUKEY,        /* max(1 - u^2, 0)^2 */
    IMALIGN_LORENTZIAN,   /* 1 / (1 + u^2) */
    IMALIGN_GEMAN_MCCLURE,/* 1 / (1 + u^2)^2 */
    IMALIGN_LOSSES
};

/* What a run of rows adds up to. */
struct imalign_sums {
    double moments[5][3][3];     /* sums of y^j x^i times gx w r, gy w r, T w r, w r, w */
    double tables[10][5][5];     /* of w times gx gx, gx gy, gy gy, gx T, gy T, gx, gy, T T, T, 1 */
    double weight_sum, squares, slope_sum; /* of w, w r r, and the slopes */
    int64_t count;               /* pixels that take part */
};

/* The sums of rows of the target under a warp: what a Gauss-Newton step is made of.
 *
 * The planes hold bands of band_rows rows, band_period rows apart in the level, stacked, or rather
 * what of those follows after `band_first` rows of the first. Row k lies in line k * row_step of the
 * planes, and its first pixel is (left, top + line(k)) of the target's level, line(0) = 0. The
 * residual of a pixel is
 *     r = factor * source(warp) + offset - (image - mean)
 * with factor and offset polynomials of the normalised x = x_scale * column + x_offset and y, their
 * coefficients in the order 1, x, y, xx, xy, yy. A pixel takes part if the warp takes it
 * into the source, `margin` pixels or more away from its border, and if both masks are set there.
 *
 * The planes have width x ((rows - 1) * row_step + 1) pixels. Where there is no gradient, it is the
 * central difference of `image`, which then has the level's rows, one line(k) after its first, and
 * a pixel more on each side; or of `target`, the picture that is the level. Planes whose data is
 * NULL are absent: no column (the image less its mean stands for it), no weights (the loss
 * weighs), no masks. The source is a plane, or made of the picture `original`; where `sampled` is
 * there it holds source(warp), and neither is read. Pixels of a row lie side by side in all
 * planes. */
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
    int64_t source_width, source_height; /* in pixels that `warp` means */
    int64_t finer;               /* pixels of the source for each of those: 1 or 2 */
    int64_t spline;              /* 1: the source holds control points, and the margin is 2 or more */
    double margin;
    double factor[6], offset[6];
    int64_t loss;
    double unit;                 /* residual at which u is 1; any for l2 */
    double texture;              /* squared gradient above which a pixel has texture */
    int64_t weigh_noise;         /* whether the moments of w are wanted */
    int64_t matrix_first, matrix_step; /* rows of the matrix: every n-th; step 0: none */
    float *scratch;              /* IMALIGN_ROWS_SCRATCH(width) values, overwritten; with pictures
                                    IMALIGN_FILTERED_SCRATCH(width) more */
    struct imalign_output residual, inside; /* float32; bytes: 1 takes part, 3 with texture */
    struct imalign_sums *sums;
};

#define IMALIGN_ROWS_SCRATCH(WIDTH) (7 * (((WIDTH) + 15) / 16 * 16))

#define IMALIGN_GROUP 32          /* rows that are made of pictures together */
#define IMALIGN_WINDOW (1 << 16)  /* pixels of a window of the source, at most */
#define IMALIGN_WINDOW_SIDE 1024  /* and its longer side */

#define IMALIGN_FILTERED_SCRATCH(WIDTH)                                  \
    (2 * (IMALIGN_GROUP + 2) * (((WIDTH) + 33) / 16 * 16) +              \
     IMALIGN_SMOOTH_SCRATCH((WIDTH) + IMALIGN_WINDOW_SIDE + 2) + IMALIGN_WINDOW)

/* What is known of chosen points of the target: rows of a table of float32, a value for each point,
 * then zeros up to a multiple of 16. `unit` is the length in pixels of a unit of u and v, and g the
 * gradient per unit. */
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

/* One point of each cell of `cell` by `cell` candidates: that with the largest squared gradient.
 *
 * Candidate (i, k) is the pixel (left + i * step, row[k]); none lies at the image's border. Those
 * whose byte of `valid` is 0 are none. What no whole cell holds has no say. The gradient is the
 * central difference; u = x_scale * x + x_offset, and v in y. */
struct imalign_select_points {
    struct imalign_plane image; /* float32, the pixels of a row side by side */
    struct imalign_plane valid; /* bytes, a value for each candidate; may be absent */
    const int64_t *row;
    int64_t across, down, left, step, cell;
    double x_scale, x_offset, y_scale, y_offset;
    float *table;        /* rows of (across / cell) * (down / cell) values, and zeros to 16; but as */
                         /* many points as are found, each row padded to 16, are written */
    struct imalign_selected_points *found;
};

struct imalign_selected_points {
    double mean, spread, energy; /* of the candidates: grey values, squared gradient */
    int64_t candidates, count;   /* that are valid; points */
};

/* What chosen points add up to; see imalign_points. */
struct imalign_point_sums {
    double vector[20], matrix[400]; /* size, and size x size, size = motion + 2 terms */
    double weight_sum, squares, slope_sum;
    double scale, estimate;
    int64_t count; /* points that are known */
};

/* The normal equations of chosen points: columns^T w r and columns^T w columns.
 *
 * A point is known where it lies within the source, less `reach`, and where what is sampled
 * linearly is below `known`. If `bent`, the bends' share of linear sampling is taken off the
 * residual. A scale that is not above 0 is estimated from the ranked points. */
struct imalign_points {
    struct imalign_plane source; /* float32, large where it is not known */
    const float *table;          /* see imalign_point_row */
    const int64_t *ranked;
    int64_t count, ranked_count;
    int64_t motion, terms; /* columns of the motion; of factor and of offset: 0, 1 or 6 */
    double basis[8][8];    /* those of the motion, each as a sum of the table's */
    double warp[9], factor[6], offset[6];
    int64_t correct_curvature, varies; /* whether factor or offset have more than their first coefficient */
    int64_t reach;
    double known;
    int64_t loss;
    double constant, scale, at_least, least_scale;
    double noise, spread, least_noise, most_noise; /* see equations.noise_to_take_off */
    int64_t with_matrix;
    float *values;  /* if there: what is sampled, padded to 16, and `known` where nothing is */
    float *scratch; /* IMALIGN_POINTS_SCRATCH(count) values, overwritten */
    struct imalign_point_sums *sums; /* if not there, values alone are written */
};

#define IMALIGN_POINTS_SCRATCH(COUNT) (4 * (((COUNT) + 15) / 16 * 16))

#define IMALIGN_LONGEST_TILE 16

/* What the search window of a tile shows. */
struct imalign_window {
    double peak;                 /* ZNCC at the best place */
    int64_t offset_x, offset_y;  /* that place less the window's middle */
    int64_t positions;            /* how many there are */
    int64_t tested, stationary, distinct;
};

/* Tiles of the target, each held against every place of a window of the warped source.
 *
 * `whole` is not 0 where the top left corner of a tile may be. A window that has its middle,
 * displaced, and enough places is asked; the tile is stationary if a place so near to the middle is
 * no worse than the best by more than `tied`, and distinct if the best agrees enough, lies within
 * the window and no place beyond its neighbours comes nearer than `ahead`. */
struct imalign_windows {
    struct imalign_plane warped[2], target[2]; /* float32, the pixels of a row side by side */
    struct imalign_plane whole;                /* bytes */
    int64_t planes, side, reach;
    const int64_t *corner; /* x and y of each tile */
    int64_t count, displaced_x, displaced_y;
    int64_t stationary, peak_radius, fewest_positions;
    double tie_margin, distinct_margin, least_correlation;
    float *scratch; /* IMALIGN_WINDOWS_SCRATCH(...) values, overwritten */
    struct imalign_window *found;
};

/* Of windows of at most so many places across and down. */
#define IMALIGN_WINDOWS_SCRATCH(ACROSS, DOWN) (5 * ((ACROSS) + 48) * ((DOWN) + 16))

/* Where a tile is found, and what that rests on. */
struct imalign_tile {
    double moved_x, moved_y, last; /* pixels; the last step's longer part */
    double correlation;
    double shared_xx, shared_xy, shared_yy; /* products of both images' gradients */
    double squares; /* sum of the squared residuals */
    double cells;   /* sum of the squares of their means over cells of 4 pixels a side */
};

#define IMALIGN_MOST_STEPS 1000

/* A few Gauss-Newton steps for each tile by itself, to where the source shows it. */
struct imalign_tiles {
    struct imalign_plane source[2], target[2]; /* float32, the pixels of a row side by side */
    int64_t planes, side;
    const int64_t *corner; /* x and y of each tile */
    const double *begin;   /* displacement of each to begin with, x and y */
    int64_t count, steps;
    double warp[9], small, reach, singular;
    struct imalign_tile *found;
};

/* Places in the order of their rank, less those within reach of one that was kept before. */
struct imalign_suppress {
    const int64_t *place; /* x and y of each */
    int64_t count, reach;
    struct imalign_output taken; /* bytes, where places may be; 0 to begin with */
    uint8_t *kept;
};

#define IMALIGN_CELL 4

/* The structure tensor of a picture, its mean over cells of 4 by 4 pixels: the products of its
 * central differences, 0 in the first and the last row and column. */
struct imalign_cells {
    struct imalign_plane image; /* float32, the pixels of a row side by side */
    struct imalign_output xx, xy, yy; /* float32, a value for each cell that is whole, or fewer */
    int64_t first, end;               /* rows of cells to write */
    float *scratch; /* IMALIGN_CELLS_SCRATCH(width) values, overwritten */
};

#define IMALIGN_CELLS_SCRATCH(WIDTH) (3 * (((WIDTH) + 15) / 16 * 16))

#define IMALIGN_DECLARE(NAME) IMALIGN_API int imalign_##NAME(const struct imalign_##NAME *call);
IMALIGN_KERNELS(IMALIGN_DECLARE)
#undef IMALIGN_DECLARE

/* The level that calls now use, such as "avx2". The first use chooses the best that the processor
 * and the system have. */
IMALIGN_API const char *imalign_level(void);

/* Use this level from now on, in all threads; NULL for the best. IMALIGN_NO_LEVEL: nothing changed. */
IMALIGN_API int imalign_set_level(const char *name);

/* The name of the i-th level of this library, worst first; NULL beyond the last. */
IMALIGN_API const char *imalign_level_name(int i);

/* Whether this processor and system have the i-th level. */
IMALIGN_API int imalign_has_level(int i);

/* The name of the i-th kernel and the bytes of its structure; NULL and 0 beyond the last. */
IMALIGN_API const char *imalign_kernel_name(int i);
IMALIGN_API int64_t imalign_kernel_bytes(int i);

/* A code in words. */
IMALIGN_API const char *imalign_message(int code);

/* The hash of the sources that this library was made of, 8 hexadecimal digits. */
IMALIGN_API const char *imalign_source_hash(void);

#endif
