"""Judging a transform that came from anywhere: the displacement field under it, nothing fitted."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from align_cli.engine import agreement, level_evidence
from align_cli.engine.alignment import Alignment, Outcome, Status
from align_cli.engine.arrays import Image, Mask, Matrix
from align_cli.engine.coordinates import inverse, plausible
from align_cli.engine.displacements.field import DisplacementField, displacement_field
from align_cli.engine.displacements.level_pair import of_intensity
from align_cli.engine.displacements.records import Displacements
from align_cli.engine.displacements.tiles import textured_tiles
from align_cli.engine.errors import ImageError
from align_cli.engine.luma import check_image, seen
from align_cli.engine.mirror import allowing_flip
from align_cli.engine.motion import MODELS, MotionModel, describe
from align_cli.engine.options import DEFAULTS, INTENSITY, LUMA_CHANNEL, Options
from align_cli.engine.pair import Pair
from align_cli.engine.place import Place
from align_cli.engine.starts import GIVEN
from align_cli.engine.target import Target
from align_cli.engine.threads import at_most
from align_cli.engine.transform import Transform

MOST_TILES: Final = 2000
"""All that there are, up to so many."""


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
    """Say whether a transform lays ``source`` over ``target``; it is left as it is.

    Args:
        source: as in ``align``.
        target: the same.
        transform: (3, 3) ``source_to_target``, or a ``Transform``.
        model: the motion model that it is judged against: what a richer one would still move
            counts against it.
        similarity: what is compared, as in ``align``.
        source_mask: (height, width) bool, the pixels of the source that take part; None for all.
        target_mask: the same of the target.
        channel: what both images are seen by, as in ``align``.
        ignore_alpha: whether transparent pixels take part too.
        accept_residual: a remainder of so many pixels that a richer model would explain is
            accepted; None for 1 px.
        keep_fixed_pattern: whether what stays with the sensor takes part too.
        threads: as in ``align``.

    Returns:
        An alignment that was not solved for: ``levels`` is empty, ``start`` is "given".

    Raises:
        ImageError: if an image cannot be used, a mask does not fit, or the transform is none.
        ValueError: if an option has no sense.
    """
    options = Options(
        model=model, similarity=similarity, channel=channel, ignore_alpha=ignore_alpha
    )
    given = transform if isinstance(transform, Transform) else Transform.from_matrix(transform)
    described = MODELS[max(model, given.model, key=list(MODELS).index)]
    check_image(source, "source")
    with at_most(threads):
        of_target = Target(seen(target, "target", target_mask, options), options)

        def checked(image: Image, mask: Mask | None, start: str | Matrix) -> Alignment:
            pair = Pair(seen(image, "source", mask, options), of_target)
            return _checked(pair, np.asarray(start, np.float64), MODELS[model], described)

        return allowing_flip(checked, source, source_mask, given.source_to_target)


def _checked(
    pair: Pair, source_to_target: Matrix, model: MotionModel, described: MotionModel
) -> Alignment:
    """A transform that does not mirror; ``described`` is the model that puts it into words."""
    warp, light = inverse(source_to_target), pair.light_as_it_is()
    if not plausible(source_to_target, pair.source.size):
        raise ImageError("it folds the source: its horizon crosses it", role="transform")
    place = Place(warp, light)
    quality = agreement.measure(
        pair.source,
        pair.target.image,
        np.eye(3),
        warp,
        detail=level_evidence.detail_zncc(pair, warp),
        texture=level_evidence.shared_texture(pair, place, model),
        unexplained=level_evidence.unexplained(pair, place),
    )
    displacements = _displacements(pair, warp, light.gain)
    gain, bias = pair.full_scale_light(light)
    return Alignment(
        model=model.name,
        source_to_target=source_to_target,
        target_to_source=warp,
        parameters=describe(source_to_target, described, pair.source.size),
        outcome=_outcome(displacements, pair),
        quality=quality,
        uncertainty=None,
        gain=gain,
        bias=bias,
        levels=(),
        start=GIVEN,
        source_size=pair.source.size,
        target_size=pair.target.size,
        displacements=displacements,
    )


def _displacements(pair: Pair, warp: Matrix, gain: float) -> Displacements:
    """Of the finest level whose texture can tell over most of the overlap, or as much as any."""
    levels = [(of_intensity(pair, warp, level, gain), level) for level in range(len(pair.levels))]
    tiles = [textured_tiles(level_pair, most=MOST_TILES) for level_pair, _ in levels]
    telling = [number for number, each in enumerate(tiles) if each.textured > 0.5]
    number = telling[0] if telling else int(np.argmax([len(each) for each in tiles]))
    field = displacement_field(levels[number][0], tiles[number])
    return _summary(field)


def _summary(field: DisplacementField) -> Displacements:
    length = np.hypot(*field.displacement[field.matched].T)
    at = field.position[field.matched]
    some = len(length) > 0
    within = [float(np.mean(length <= px)) if some else math.nan for px in (0.5, 1.0, 2.0)]
    largest = int(length.argmax()) if some else -1
    where = (float(at[largest, 0]), float(at[largest, 1])) if some else (math.nan, math.nan)
    return Displacements(
        field=field,
        tiles=len(field),
        sampled=len(field),
        stationary=int(np.count_nonzero(length <= 2.0**field.level)),
        log10_false_alarms=math.nan,
        median_px=float(np.median(length)) if some else math.nan,
        p95_px=float(np.percentile(length, 95)) if some else math.nan,
        largest_px=float(length[largest]) if some else math.nan,
        largest_at_px=where,
        within_half_px=within[0],
        within_1_px=within[1],
        within_2_px=within[2],
        systematic_px=math.nan,
        systematic_at_px=(math.nan, math.nan),
    )


def _outcome(displacements: Displacements, pair: Pair) -> Outcome:
    """Aligned where at least half of the tiles that found a match lie near enough."""
    matched, tiles = np.count_nonzero(displacements.field.matched), len(displacements.field)
    if 2 * matched < tiles or not tiles:
        why = f"{matched} of {tiles} textured tiles find a match where they lie"
        return Outcome(Status.NO_AGREEMENT, f"{why}; the images differ there", (why,))
    near = max(2.0, 0.0015 * math.hypot(*pair.target.size))
    length = np.hypot(*displacements.field.displacement[displacements.field.matched].T)
    share = float(np.mean(length <= near))
    if share < 0.5:
        why = f"{100.0 * share:.0f} % of the tiles lie within {near:.1f} px"
        return Outcome(Status.NO_AGREEMENT, f"{why}; look at it", (why,), doubtful=True)
    return Outcome(Status.CONVERGED, "the images lie on one another under this transform")
