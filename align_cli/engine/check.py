"""Test a given transform by its displacement field; nothing is fitted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from align_cli.engine.arrays import Image, Mask, Matrix
from align_cli.engine.displacements.views import IntensityView, OrientationView, PairView
from align_cli.engine.equations.pair import Pair
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import inverse, plausible
from align_cli.engine.geometry.models import MODELS, MotionModel, describe
from align_cli.engine.images.luma import check_image, luma_with_options
from align_cli.engine.numerics.threads import Threads, at_most
from align_cli.engine.options import AUTO, DEFAULTS, GRADIENT, INTENSITY, LUMA_CHANNEL, Options
from align_cli.engine.records import ImageKind, LevelRecord, Status
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.result.transform import Transform
from align_cli.engine.search import quality
from align_cli.engine.search.cleaned_pair import cleaned_pair
from align_cli.engine.search.full_scale import of_values
from align_cli.engine.search.mirror import allowing_flip
from align_cli.engine.search.sensor import holds_with_edges, recheck_given_warp
from align_cli.engine.solver.given_warp import illumination_under
from align_cli.engine.solver.orientation_levels import View
from align_cli.engine.starts import GIVEN
from align_cli.engine.target.target import Target
from align_cli.engine.verdict.assessment import Assessment, Estimate, assess, prefer_orientations


def check(
    source: Image,
    target: Image,
    transform: ArrayLike | Transform,
    *,
    model: str = DEFAULTS.model,
    similarity: str = INTENSITY,
    source_mask: Mask | None = None,
    target_mask: Mask | None = None,
    channel: str | int = LUMA_CHANNEL,
    ignore_alpha: bool = False,
    accept_residual: float | None = None,
    keep_fixed_pattern: bool = False,
    threads: int | None = None,
) -> Alignment:
    """Test whether a given transform aligns ``source`` to ``target``; nothing is fitted.

    Args:
        source: as in ``align``.
        target: as in ``align``.
        transform: (3, 3) ``source_to_target``, or a ``Transform``.
        model: the motion model to test against: a residual displacement that a richer model
            would remove counts against the transform.
        similarity: similarity measure, as in ``align``.
        source_mask: (height, width) bool, the pixels of the source to use; None for all.
        target_mask: the same for the target.
        channel: the channel to compare, as in ``align``.
        ignore_alpha: whether to use transparent pixels too.
        accept_residual: residual displacement, in pixels, that is accepted although a richer
            model would remove it; None for 1 px.
        keep_fixed_pattern: whether to use fixed patterns of the sensor too.
        threads: as in ``align``.

    Returns:
        An alignment without a solve: ``levels`` is empty, ``start`` is "given". Its illumination is
        solved for under the given transform.

    Raises:
        ImageError: if an image cannot be used, a mask has another size, or the transform is
            invalid.
        TypeError: if the transform is an ``Alignment``, whose ``transform`` is meant.
        ValueError: if an option has an invalid value.

    Example:
        >>> import numpy as np
        >>> from align_cli import check
        >>> y, x = np.mgrid[:80, :100]
        >>> target = np.random.default_rng(0).random((80, 100))
        >>> checked = check(np.roll(target, 3, axis=1), target, np.eye(3), model="translation")
        >>> checked.outcome.verdict.value
        'failed'
    """
    options = Options(
        model=model,
        similarity=similarity,
        channel=channel,
        ignore_alpha=ignore_alpha,
        accept_residual=accept_residual,
        keep_fixed_pattern=keep_fixed_pattern,
    )
    if model == AUTO:
        raise ValueError(
            f"a transform is tested against one model; choose one of {', '.join(MODELS)}"
        )
    if isinstance(transform, Alignment):
        raise TypeError(
            "expected a Transform or a (3, 3) matrix, not an Alignment; give its transform, "
            "found.transform"
        )
    given = transform if isinstance(transform, Transform) else Transform.from_matrix(transform)
    described = MODELS[max(model, given.model, key=list(MODELS).index)]
    check_image(source, "source")
    with at_most(threads):
        prepared_target = Target(luma_with_options(target, "target", target_mask, options), options)

        def checked(image: Image, mask: Mask | None, start: str | Matrix) -> Alignment:
            pair = Pair(luma_with_options(image, "source", mask, options), prepared_target)
            found = _checked(pair, np.asarray(start, np.float64), described, options)
            kinds = ImageKind.of(image), ImageKind.of(target)
            return replace(found, source_kind=kinds[0], target_kind=kinds[1])

        return allowing_flip(checked, source, source_mask, given.source_to_target)


def _checked(
    pair: Pair, source_to_target: Matrix, described: MotionModel, options: Options
) -> Alignment:
    """Test a transform that does not mirror; its parameters are those of model ``described``."""
    if not plausible(source_to_target, pair.source.size):
        raise ImageError("its horizon crosses the source", role="transform")
    warp = inverse(source_to_target)
    similarity, assessment, measured = GRADIENT, None, pair
    estimated = None if options.similarity == GRADIENT else pair.illumination_under(warp)
    if estimated is not None:
        similarity = INTENSITY
        assessment, measured = _by_values(pair, warp, estimated.gain, options)
    if assessment is None or (options.similarity == AUTO and not assessment.outcome.aligned):
        source, target = (
            View(image, levels)
            for image, levels in (
                (pair.source, pair.levels),
                (pair.target.image, pair.target.levels),
            )
        )
        by_edges = _assessed(OrientationView(source, target), pair, warp, options)
        if assessment is None or prefer_orientations(assessment.outcome, by_edges.outcome):
            estimated, similarity, assessment, measured = None, GRADIENT, by_edges, pair
    outcome, gain, bias, illumination = assessment.outcome, math.nan, math.nan, None
    if estimated is not None and outcome.vouched:
        solved = illumination_under(pair, warp)
        gain, bias = pair.full_scale_illumination(solved)
        illumination = of_values(solved, pair.source, pair.target.image)
    return Alignment(
        model=options.model,
        source_to_target=source_to_target,
        target_to_source=warp,
        parameters=describe(source_to_target, described, pair.source.size),
        outcome=outcome,
        quality=quality.measure(
            measured.source, measured.target.image, np.eye(3), warp, illumination
        ),
        uncertainty=assessment.uncertainty if outcome.vouched else None,
        gain=gain,
        bias=bias,
        illumination=illumination,
        levels=(),
        start=GIVEN,
        source_size=pair.source.size,
        target_size=pair.target.size,
        similarity=similarity,
        displacements=assessment.displacements,
    )


def _by_values(pair: Pair, warp: Matrix, gain: float, options: Options) -> tuple[Assessment, Pair]:
    """The assessment by grey values, and the pair that was assessed.

    As in ``align``, a pair that is not aligned is tested again without its fixed pattern.
    """
    assessment = _assessed(IntensityView(pair, gain), pair, warp, options)
    with Threads() as threads:
        doubtful = recheck_given_warp(pair, warp, assessment, options, threads)
    if doubtful is not assessment:
        return doubtful, pair
    without_pattern = None if assessment.outcome.aligned else cleaned_pair(pair, options)
    if without_pattern is None:
        return assessment, pair
    cleaned, pattern = without_pattern
    second = _assessed(IntensityView(cleaned, gain), cleaned, warp, options)
    if second.outcome.aligned and holds_with_edges(IntensityView(pair, gain), warp, pattern):
        return second.without(pattern), cleaned
    return assessment, pair


def _assessed(view: PairView, pair: Pair, warp: Matrix, options: Options) -> Assessment:
    """The assessment of a given warp, target -> source."""
    width, height = pair.target.size
    estimate = Estimate(
        MODELS[options.model],
        warp,
        LevelRecord(0, width, height, 0, 0.0, math.nan, Status.CONVERGED),
        overlap=quality.overlap(pair.source, pair.target.image, warp),
        noise=None,
        moved_px=0.0,
        start_given=True,
        parameters=0,
    )
    return assess(
        view,
        estimate,
        period=pair.target.period,
        accept_residual=options.accept_residual,
        all_tiles=True,
    )
