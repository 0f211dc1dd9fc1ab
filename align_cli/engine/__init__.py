"""Arrays in, an ``Alignment`` out: no files, no command line, no printing.

The folders from the ground up, each importing only those above it in this list (a test holds them
to that):

    errors, arrays, options, records   the exception, types, options, plain records of an alignment
    numerics        robust losses, threads, products of matrices, bands of rows
    geometry        coordinates, motion models, polygons, how a covariance propagates
    sampling        values and slopes of an image anywhere
    images          from the user's array to pyramid levels; noise, periodicity, what stays with
                    the sensor
    target          what is computed once of the target: planes, chosen pixels, enough rows
    equations       residuals, illumination, normal equations; both images as one pair
    solver          Gauss-Newton on a level, coarse to fine, refinement, noise covariance
    displacements   the field of tiles, its covariance, the measured chance: the one evidence
    starts          initial transforms: phase correlation, Fourier-Mellin, features, templates
    result          what the caller is handed: alignment, transform, canvas, warped image
    verdict         is it right, how sure, in words; limits
    search          candidates, one score, one order; choice of the model; mirror
    check, aligner  the front doors
    selfcheck       checks that a user can run
"""
