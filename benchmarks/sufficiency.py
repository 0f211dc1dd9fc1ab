"""Is a model that is too simple called so? ``python -m benchmarks.sufficiency``.

Pairs that no member of the model lays on one another (``benchmarks.bent_pairs``): homographies
solved as less, lenses, curled paper; a second plane before the first; and, beside them, pairs out
of focus on which the model is right. The true displacement of each pixel of the target is known:
where the transform that was found takes what it shows, less where it stands. Held against it:

- the largest displacement over the overlap, told within 15 % or 0.3 px. Silent: aligned, more
  than 1 px off somewhere, and told less than that;
- of two planes the motion of the one that was not aligned, against the other, within 15 % or
  0.5 px, and its share of the texture, within 10 points. Silent: aligned, and no second motion
  told;
- "+-": root mean square of error / "+-". The error is, for lens and two planes, the distance over
  the overlap from the least-squares fit of the same model to the true displacements, of the plane
  that was aligned; for exact pairs of 5 to 50 tiles, and a sunburst, that of the corners, each with
  its own "+-". Counted apart are pairs for which none is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, nan

import numpy as np
from scipy import ndimage

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size, normalisation
from align_cli.engine.geometry.models import MODELS, MONOMIALS
from align_cli.engine.result.alignment import Alignment
from benchmarks.arguments import parser
from benchmarks.bent_pairs import (
    EXACT,
    INSUFFICIENT,
    OTHERS,
    PLANES,
    SIGMA,
    TILE,
    BentPair,
    Kind,
    Mask,
    pixels,
    through,
)
from benchmarks.goals import Goal, print_goals
from benchmarks.measures import root_mean_square
from benchmarks.scenes import Floats

SHARE_OF_LARGEST, LARGEST_PX = 0.15, 0.3
SILENT_PX = 1.0
SHARE_OF_SHIFT, SHIFT_PX = 0.15, 0.5
POINTS = 0.1
RATIO = 1.4, 0.7
"""At most, at least."""
WITHIN = 0.9
DEFAULT_COUNT = 12
STRIDE = 4  # of the pixels that the least-squares fit is fitted to
STEPS = 10


@dataclass(frozen=True)
class Told:
    """What an alignment says of what its transform leaves.

    Attributes:
        largest_px: the largest systematic displacement over the overlap; 0 where none is told.
        explained_by: the name of the model that would explain it.
        shift_px: (x, y) of a second motion, None where none is told or none can be measured.
        share: of the texture that moves so; None where no second motion is told.
    """

    largest_px: float = 0.0
    explained_by: str | None = None
    shift_px: tuple[float, float] | None = None
    share: float | None = None


def told(found: Alignment) -> Told:
    told = found.displacements
    if told is None:
        return Told(0.0, None, None, None)
    second = told.second_motion
    return Told(
        0.0 if math.isnan(told.systematic_px) else told.systematic_px,
        told.explained_by,
        None if second is None else second.shift_px,
        None if second is None else second.share,
    )


# What is true.


def displacement(pair: BentPair, source_to_target: Floats) -> Floats:
    """(height, width, 2): where a transform takes what a target pixel shows, less where it is."""
    return through(source_to_target, pair.to_source) - pixels(_size(pair))


def _size(pair: BentPair) -> Size:
    return pair.target.shape[1], pair.target.shape[0]


def _inside(points: Floats, pair: BentPair) -> Mask:
    """Which places lie in the source; what is hidden (NaN) does not."""
    last = np.array(pair.source.shape[::-1]) - 1.0
    return ((points >= 0.0) & (points <= last)).all(axis=-1)


def overlap(pair: BentPair, found: Alignment) -> Mask:
    """The pixels of the target that the transform covers and whose truth the source shows."""
    covered = through(found.target_to_source, pixels(_size(pair)))
    return _inside(covered, pair) & _inside(pair.to_source, pair)


def textured(pair: BentPair) -> Mask:
    """Where a tile of the target has texture in every direction, above its noise."""
    target = pair.target.astype(np.float64)
    along_y, along_x = (ndimage.gaussian_filter(target, 1.0, order=o) for o in ((1, 0), (0, 1)))
    xx, xy, yy = (
        ndimage.uniform_filter(product, TILE)
        for product in (along_x**2, along_x * along_y, along_y**2)
    )
    least = (xx + yy) / 2.0 - np.hypot((xx - yy) / 2.0, xy)
    of_noise = SIGMA**2 / (8.0 * np.pi)  # of the derivative of a Gaussian of 1 px
    return least > of_noise


@dataclass(frozen=True)
class Planes:
    """A plane that was aligned, and what the other one does."""

    aligned: Mask
    shift_px: Floats
    share: float


def two_planes(pair: BentPair, found: Alignment) -> Planes:
    """Aligned is the plane whose pixels are, in the median, displaced by less."""
    assert pair.near is not None
    left, both = displacement(pair, found.source_to_target), overlap(pair, found)
    sides = [both & pair.near, both & ~pair.near]
    sides.sort(key=lambda side: np.median(np.hypot(*left[side].T)) if side.any() else inf)
    aligned, other = sides
    texture = textured(pair)
    return Planes(
        aligned,
        _relative(pair, found, other),
        float((other & texture).sum() / max((both & texture).sum(), 1)),
    )


def _relative(pair: BentPair, found: Alignment, other: Mask) -> Floats:
    """(2,): how far the plane ``other`` is displaced against the aligned one, on average."""
    assert pair.near is not None
    source = pair.to_source[other]
    against = np.where(pair.near[other][:, None], 1.0, -1.0) * pair.parallax
    if not len(source):
        return np.zeros(2)
    there, without = (through(found.source_to_target, at) for at in (source, source - against))
    return np.mean(there - without, axis=0)


def least_squares(pair: BentPair, found: Alignment, where: Mask) -> Floats:
    """The ``source_to_target`` of the model that leaves the least displacement ``where``.

    Gauss-Newton from the answer, in the normalised coordinates of the target.
    """
    model, to_normal = MODELS[found.model], normalisation(_size(pair))
    thinned = np.zeros_like(where)
    thinned[::STRIDE, ::STRIDE] = where[::STRIDE, ::STRIDE]
    at, source = pixels(_size(pair))[thinned], pair.to_source[thinned]
    x, y = through(to_normal, at).T
    monomials = np.column_stack([x**i * y**j for i, j in MONOMIALS])
    jacobian = np.vstack([monomials @ model.jacobian_x.T, monomials @ model.jacobian_y.T])
    transform = found.source_to_target
    for _ in range(STEPS):
        left = through(to_normal @ transform, source) - through(to_normal, at)
        step = np.linalg.lstsq(jacobian, -left.T.ravel(), rcond=None)[0]
        transform = np.linalg.inv(to_normal) @ model.to_matrix(step) @ to_normal @ transform
    return transform / transform[2, 2]


# What is held against it.


@dataclass(frozen=True)
class Row:
    """What one pair comes to.

    Attributes:
        verdict: "aligned", "doubtful" or "failed".
        true_px: the largest displacement, the length of the second motion, or the error of the
            corners; NaN where it failed.
        within: whether the displacement or the second motion is told as it is.
        silent: whether it is aligned without a word of it.
        share_within: whether the share of the second motion is told as it is.
        ratios: error / "+-"; empty where there is none.
    """

    verdict: str
    true_px: float = nan
    within: bool = False
    silent: bool = False
    share_within: bool = False
    ratios: tuple[float, ...] = ()


def _close(measured: float, true: float, share: float, least: float) -> bool:
    return abs(measured - true) <= max(share * true, least)


def _ratio_to_fit(pair: BentPair, found: Alignment, where: Mask) -> tuple[float, ...]:
    if found.uncertainty is None or not where.any():
        return ()
    fit = least_squares(pair, found, where)
    at = pixels(_size(pair))[overlap(pair, found)]
    distance = np.hypot(*(through(fit, through(found.target_to_source, at)) - at).T)
    return (root_mean_square(distance) / found.uncertainty.mean_px,)


def smooth_row(pair: BentPair, found: Alignment) -> Row:
    said, verdict, both = told(found), found.outcome.verdict.value, overlap(pair, found)
    if not both.any():
        return Row(verdict)
    true_px = float(np.hypot(*displacement(pair, found.source_to_target)[both].T).max())
    within = _close(said.largest_px, true_px, SHARE_OF_LARGEST, LARGEST_PX)
    silent = verdict == "aligned" and said.largest_px <= SILENT_PX < true_px and not within
    return Row(verdict, true_px, within, silent, ratios=_ratio_to_fit(pair, found, both))


def planes_row(pair: BentPair, found: Alignment) -> Row:
    said, verdict = told(found), found.outcome.verdict.value
    true = two_planes(pair, found)
    length = float(np.hypot(*true.shift_px))
    within = said.shift_px is not None and (
        float(np.hypot(*(np.array(said.shift_px) - true.shift_px)))
        <= max(SHARE_OF_SHIFT * length, SHIFT_PX)
    )
    share_within = said.share is not None and abs(said.share - true.share) <= POINTS
    silent = verdict == "aligned" and said.share is None
    ratios = _ratio_to_fit(pair, found, true.aligned)
    return Row(verdict, length, within, silent, share_within, ratios)


def exact_row(pair: BentPair, found: Alignment) -> Row:
    verdict = found.outcome.verdict.value
    left = displacement(pair, found.source_to_target)[[0, 0, -1, -1], [0, -1, -1, 0]]
    errors = np.hypot(*left.T)
    true_px = root_mean_square(errors)
    if found.uncertainty is None:
        return Row(verdict, true_px)
    return Row(verdict, true_px, ratios=tuple((errors / found.uncertainty.corners_px).tolist()))


def row(kind: Kind, read: Callable[[BentPair, Alignment], Row], seed: list[int]) -> Row:
    pair = kind(np.random.default_rng(seed))
    try:
        found = align(pair.source, pair.target, model=pair.model)
    except ImageError:
        return Row("failed")
    return Row("failed") if found.outcome.verdict.value == "failed" else read(pair, found)


# What is printed.


def ratio(rows: list[Row]) -> float:
    """Root mean square of error / "+-" over the pairs, the corners of one together."""
    each = [root_mean_square(one.ratios) for one in rows if one.ratios]
    return root_mean_square(each) if each else nan


def share(of: list[bool]) -> float:
    return float(np.mean(of)) if of else nan


def print_row(name: str, rows: list[Row]) -> None:
    counts = "".join(
        f"{sum(one.verdict == verdict for one in rows):>9}"
        for verdict in ("aligned", "doubtful", "failed")
    )
    true = [one.true_px for one in rows if isfinite(one.true_px)]
    least, most = (min(true), max(true)) if true else (nan, nan)
    within = "" if name in EXACT else f"{share([each.within for each in rows]):.0%}"
    silent = "" if name in EXACT else f"{sum(each.silent for each in rows)}"
    of_texture = f"{share([each.share_within for each in rows]):.0%}" if name in PLANES else ""
    print(
        f"{name:28}{counts}{least:>8.2f}{most:>8.2f}{within:>8}{of_texture:>7}{silent:>8}"
        f"{ratio(rows):>10.3g}{sum(not each.ratios for each in rows):>6}",
        flush=True,
    )


def main() -> None:
    options = parser(__doc__, count=DEFAULT_COUNT, counted="pairs of each kind").parse_args()
    reads = {smooth_row: {**INSUFFICIENT, **OTHERS}, planes_row: PLANES, exact_row: EXACT}
    print(
        f"{'':28}{'aligned':>9}{'doubtful':>9}{'failed':>9}{'true px':>12}{'':4}{'within':>8}"
        f"{'share':>7}{'silent':>8}{'error/+-':>10}{'none':>6}"
    )
    rows: dict[str, list[Row]] = {}
    kinds = [(name, kind, read) for read, kinds in reads.items() for name, kind in kinds.items()]
    for number, (name, kind, read) in enumerate(kinds):
        seeds = ([options.seed, number, index] for index in range(options.count))
        rows[name] = [row(kind, read, seed) for seed in seeds]
        print_row(name, rows[name])
    print_goals(goals(rows))


def goals(rows: dict[str, list[Row]]) -> list[Goal]:
    simple, others, planes, tiles = (
        [each for name in names for each in rows[name]]
        for names in (INSUFFICIENT, OTHERS, PLANES, EXACT.keys() - {"sunburst"})
    )
    within = {
        "largest displacement: share told": [each.within for each in simple],
        "second motion: share told": [each.within for each in planes],
        "second motion: share whose share is told": [each.share_within for each in planes],
        "defocus, where nothing is left: share told": [each.within for each in rows["defocus"]],
    }
    silent = {
        "largest displacement: pairs silent": [each.silent for each in (*simple, *others)],
        "second motion: pairs silent": [each.silent for each in planes],
    }
    ratios = {
        "5 to 50 tiles": tiles,
        "sunburst": rows["sunburst"],
        "lens": rows["lens"],
        "two planes": planes,
    }
    return [
        *(Goal(what, share(which), 1.0, WITHIN) for what, which in within.items()),
        *(Goal(what, sum(which), 0.0) for what, which in silent.items()),
        *(Goal(f"{what}: error / +-", ratio(which), *RATIO) for what, which in ratios.items()),
    ]


if __name__ == "__main__":
    main()
