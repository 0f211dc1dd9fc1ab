"""Arrays in, an ``Alignment`` out: no files, no command line, no printing.

What a result hands over to files and people goes through ``align_cli.handover``, the one way up.

The folders from the ground up, each importing only those above it in this list (a test holds them
to that):

    errors, arrays, options, records   the exception, types, options, plain records of an alignment
    numerics        robust losses, threads, products of matrices, bands of rows
    geometry        coordinates, motion models, polygons, how a covariance propagates
    sampling        interpolation of images and of their gradients
    images          from the user's array to pyramid levels; noise, periodicity, fixed patterns
    target          quantities of the target alone: planes, selected pixels, row subsampling
    equations       residuals, illumination, normal equations; the image pair
    solver          Gauss-Newton on a level, coarse to fine, refinement, covariance
    displacements   the displacement field of tiles, its covariance, the number of false alarms
    starts          initial transforms: phase correlation, Fourier-Mellin, features, templates
    result          the results: alignment, transform, canvas, warped image
    verdict         tests of an estimate, its verdict in words; limits
    search          candidates and their scores; selection of the model; mirror images;
                    ZNCC, RMSE and MAE of the result
    check, aligner  the public functions
    selfcheck       self-checks on the user's images
"""
