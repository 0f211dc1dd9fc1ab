"""Is the motion model sufficient? The residual displacement, and what explains it.

The matched tiles are fitted by the estimate's own model, by every richer one and by a cubic field.
What a motion model would still remove is reported with its name, what none explains (a lens, curled
paper) without one, and a second plane as a second motion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Matrix, Points, Vector
from align_cli.engine.displacements import coarser_matches
from align_cli.engine.displacements.coarser_matches import add_coarser_matches, weighted_by_texture
from align_cli.engine.displacements.evidence import (
    NEARLY_ALL,
    Evidence,
    LevelEvidence,
    within_allowed,
)
from align_cli.engine.displacements.f_test import SIGNIFICANCE, log10_p_value, log10_p_value_of
from align_cli.engine.displacements.fit import (
    Basis,
    Fit,
    Floats,
    Matches,
    add_scatter,
    common_scatter,
    explained_squares,
    inverses,
    leave_one_out,
    model_basis,
    polynomial,
    refit,
    tukey_loss,
    tukey_weight,
)
from align_cli.engine.displacements.isotropy import undetermined_directions
from align_cli.engine.displacements.records import SecondMotion
from align_cli.engine.displacements.residual_field import (
    DEGREES,
    TWO_SIDED_90,
    SmoothField,
    explained_by_richer,
    fitted_transform,
    smooth_field,
    supported_smooth_field,
)
from align_cli.engine.displacements.second_motion import (
    region_in_words,
    second_motion_record,
    two_motions,
)
from align_cli.engine.displacements.tiles import nearest
from align_cli.engine.geometry.coordinates import Size, map_points
from align_cli.engine.geometry.models import LARGEST, MODELS, MotionModel
from align_cli.engine.geometry.polygons import overlap_polygon

REPORTED_PX: Final = 1.0
"""A residual displacement up to this is not reported."""

SMALL_RESIDUAL_PX: Final = 0.5
"""If nine of ten tiles are displaced by less, it is only tested, by one solve each, whether a field
explains anything significantly, and its upper bound. Of 55 right pairs of few tiles and 16 out of
focus that suffices in 65; of 128 lenses, curled pages, two planes and homographies solved as a
simpler model in none."""

CERTAIN_SIGMAS: Final = 5.0
"""The tiles agree on another transform of the estimate's own model if, over the overlap, it differs
by so many standard errors of their fit (root mean square). Measured: estimates that are right on 12
real pairs 0.5 to 3.2, on cleaned ones less; four that are off by 2 to 7 px 9.1 to 14.9."""

FEWEST_TILES: Final = 8
"""Fewer tiles do not overdetermine a homography."""

GRID: Final = 64
"""Points along each side of the target at which the residual displacement is evaluated. With lens
distortion the border of the overlap is curved: of 16 lenses 16 are reported within 15 %, with 32
points 14."""

SUBSAMPLING: Final = 8.618
"""Every such point, rounded down, suffices for least squares. Not an integer: in rows of 64 points
every eighth would be left of the centre by a twentieth of the width."""

ROUNDING_PX: Final = 1e-6
"""Tolerance for the overlap's own corners, which are on the source's border."""


@dataclass(frozen=True, eq=False)
class ResidualDisplacement:
    """The residual displacement of an estimate.

    Attributes:
        px: its largest systematic value over the overlap.
        at_px: (x, y) where that is.
        explained_by: the simplest motion model that would remove it; the estimate's own if its
            tiles agree on another transform of it; None if no motion model does.
        second: the independent motion of a part.
        inlier_fraction: of the texture with a match anywhere, on coarser levels too, the share of
            inliers.
        rival: texture of the second motion relative to that of the main motion.
        matches: the matched tiles, without those of the second motion.
        fit: of the estimate's own model to them, and their scatter about the systematic part; None
            if they are too few.
        drift: (p,) change of the estimate by least squares over the overlap, in its own parameters,
            shrunk by its uncertainty; None if it was not evaluated.
        outside_model: whether the drift is that of a field which the estimate's own model does not
            contain.
    """

    px: float
    at_px: tuple[float, float]
    explained_by: str | None = None
    second: SecondMotion | None = None
    inlier_fraction: float = 1.0
    rival: float = 0.0
    matches: Matches | None = None
    fit: Fit | None = None
    drift: Vector | None = None
    outside_model: bool = False


NOWHERE: Final = (math.nan, math.nan)

UNMEASURED: Final = ResidualDisplacement(math.nan, NOWHERE)


def matches_of(evidence: Evidence) -> Matches:
    """The matched tiles."""
    return coarser_matches.matches_of(evidence.field, evidence.reach_px)


def residual_displacement(
    model: MotionModel,
    evidence: Evidence,
    warp: Matrix,
    target_size: Size,
    source_size: Size,
) -> ResidualDisplacement:
    """The residual displacement of an estimate of a model.

    Args:
        model: of the estimate.
        evidence: for it.
        warp: (3, 3), target pixel -> source pixel, at full size.
        target_size: (width, height) of the target.
        source_size: the same of the source.
    """
    matches = matches_of(evidence)
    if len(matches) < FEWEST_TILES:
        return UNMEASURED
    overlap = partial(overlap_points, warp, target_size, source_size)
    if _nearly_all_small(evidence):
        small = _small_residual(model, matches, overlap, target_size)
        if small is not None:
            return small
    within = overlap()
    main = _main_motion(evidence, within, target_size, evidence.all_levels())
    determined = _determined(model, evidence)
    if len(main.matches) < FEWEST_TILES or not len(main.within):
        left = UNMEASURED
    elif not determined:
        fit = fitted_transform(model, main.matches, target_size)[1]
        left = ResidualDisplacement(0.0, NOWHERE, matches=main.matches, fit=fit)
    else:
        analysis = _Analysis(main.matches, main.within, warp, target_size, source_size)
        left = analysis.systematic(model, determined)
    return replace(left, second=main.second, rival=main.rival, inlier_fraction=main.inlier_fraction)


def overlap_points(warp: Matrix, target_size: Size, source_size: Size) -> Points:
    """(m, 2) points of the target that the source covers: a grid, and the overlap's corners."""
    x, y = (np.linspace(0.0, side - 1.0, GRID) for side in target_size)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    inside = _inside(map_points(warp, points), source_size)
    return np.concatenate([points[inside], overlap_polygon(warp, target_size, source_size)])


def _inside(points: Points, size: Size) -> Mask:
    """(n,) bool, which points are in an image of ``size``, to rounding."""
    last = np.array(size) - 1.0 + ROUNDING_PX
    return np.asarray(((points >= -ROUNDING_PX) & (points <= last)).all(axis=1))


def _nearly_all_small(evidence: Evidence) -> bool:
    """Whether nearly all tiles, the unmatched included, have small displacements."""
    field = evidence.field
    near = field.matched & (np.hypot(*field.displacement.T) < SMALL_RESIDUAL_PX)
    return bool(np.count_nonzero(near) >= NEARLY_ALL * len(field))


def _small_residual(
    model: MotionModel, matches: Matches, overlap: Callable[[], Points], size: Size
) -> ResidualDisplacement | None:
    """The residual displacement if neither the estimate's model nor a cubic field moves much.

    None if one of them explains something significantly and may move a point of the overlap by more
    than is reported, or if a field of a higher degree is significantly better than the cubic: then
    the full analysis is needed. All with the weights of the tiles about the estimate itself.
    ``overlap`` returns the points of the overlap, which most estimates do not need.
    """
    baseline = _scatter_about(matches.displacement, matches.covariance)
    bases = model_basis(model), *(polynomial(degree) for degree in DEGREES)
    left = [
        baseline.squares - each
        for each in explained_squares(bases, matches.position, size, baseline)
    ]
    tiles = float(baseline.weight.sum())

    def needed(squares: float, simple: int, rich: int) -> bool:
        sizes = simple, bases[rich].size
        return log10_p_value_of((squares, left[rich]), sizes, tiles) < math.log10(SIGNIFICANCE)

    own, cubic, *higher = range(len(bases))
    if any(needed(left[cubic], bases[cubic].size, each) for each in higher):
        return None
    outside_model = needed(left[own], model.size, cubic)
    basis = bases[cubic if outside_model else own]
    field = refit(basis.design(matches.position, size), matches.displacement, baseline)
    if not outside_model and not needed(baseline.squares, 0, own):
        return ResidualDisplacement(0.0, NOWHERE, matches=matches, fit=field)
    spread = _scatter_about(field.residual, matches.covariance)
    field = refit(basis.design(matches.position, size), matches.displacement, spread)
    within = overlap()
    moved = basis.evaluate(field.parameters, within, size)
    length = np.hypot(*moved.T)
    most = length + TWO_SIDED_90 * np.sqrt(basis.variance(field, within, size))
    if not len(within) or most.max() > REPORTED_PX:
        return None
    drift = _drift(model, basis, field, moved, within, size)
    at = int(length.argmax())
    place = (float(within[at, 0]), float(within[at, 1]))
    about = replace(spread, residual=field.residual)
    return ResidualDisplacement(
        float(length[at]),
        place,
        matches=matches,
        fit=about,
        drift=drift,
        outside_model=outside_model,
    )


def _scatter_about(residual: Points, covariance: Floats) -> Fit:
    """A fit without parameters: the scatter of tiles about a field, and their weights."""
    scatter = common_scatter(residual, covariance)
    precision = inverses(add_scatter(covariance, scatter))
    fit = Fit(np.zeros(0), np.zeros((0, 0)), residual, precision, np.ones(len(residual)), scatter)
    return replace(fit, weight=tukey_weight(fit.squared))


@dataclass(frozen=True, eq=False)
class _MainMotion:
    """The tiles and the points of the main motion; see also ``ResidualDisplacement``."""

    matches: Matches
    within: Points
    inlier_fraction: float
    second: SecondMotion | None = None
    rival: float = 0.0


def _main_motion(
    evidence: Evidence, within: Points, size: Size, levels: Sequence[LevelEvidence]
) -> _MainMotion:
    """The tiles of the main motion, a second motion, and the points without the latter.

    Unmatched tiles are searched for on coarser levels first; then those of the finest level at the
    displacements that two motions, or a smooth field, predict.
    """
    field, reach = evidence.field, evidence.reach_px
    matches = add_coarser_matches(field, reach, levels)
    basis, smooth = smooth_field(matches, size)
    pair = None if _nearly_all_smooth(smooth, matches, evidence) else two_motions(matches, size)
    if pair is None:
        of_smooth = partial(basis.evaluate, smooth.parameters, size=size)
        matches = add_coarser_matches(field, reach, levels, lambda points: [of_smooth(points)])
        follow = int(np.count_nonzero(evidence.inlier))
        rival = evidence.far_share * len(evidence.field) / max(follow, 1)
        inlier_fraction = _inlier_fraction(matches, evidence)
        return _MainMotion(
            matches, within, inlier_fraction, _far_second_motion(evidence, size), rival
        )
    matches = add_coarser_matches(field, reach, levels, partial(pair.expected, size=size))
    pair = pair.assigned_to(matches, size)
    textured = weighted_by_texture(matches, evidence.coarse)
    inlier, area = pair.inlier[1], textured.area
    # With the matches of coarser levels it may have no inliers left.
    second = second_motion_record(textured, size, pair) if inlier.any() else None
    rival = float(area[inlier].sum() / max(area[pair.inlier[0] & ~inlier].sum(), 1.0))
    shown = within[~inlier[nearest(within, matches.position)]]
    return _MainMotion(matches[~inlier], shown, _inlier_fraction(matches, evidence), second, rival)


def _inlier_fraction(matches: Matches, evidence: Evidence) -> float:
    """The share of the matched texture that is displaced by no more than allowed."""
    near = within_allowed(matches.displacement, matches.covariance, evidence.allowed_px)
    far_share = evidence.far_share * len(evidence.field) * evidence.field.side**2
    return float(matches.area[near].sum() / max(matches.area.sum() + far_share, 1.0))


def _nearly_all_smooth(smooth: Fit, matches: Matches, evidence: Evidence) -> bool:
    """Whether nearly all tiles, the unmatched included, are close to a smooth field."""
    near = np.hypot(*smooth.residual.T) < SMALL_RESIDUAL_PX
    found = float(matches.area.sum())
    all_tiles = max(len(evidence.field) * evidence.field.side**2, found)
    return bool(matches.area[near].sum() >= NEARLY_ALL * all_tiles)


def _far_second_motion(evidence: Evidence, size: Size) -> SecondMotion | None:
    """The common motion beyond the reach of all windows, in a target of a size."""
    lost = evidence.field.position[~evidence.field.matched]
    if not evidence.far_share or not len(lost):
        return None
    (x, y), centre = evidence.far_motion_px, lost.mean(axis=0)
    return SecondMotion(
        share=evidence.far_share,
        shift_px=(x, y),
        centre_px=(float(centre[0]), float(centre[1])),
        where=region_in_words(lost, size),
    )


def _determined(model: MotionModel, evidence: Evidence) -> list[MotionModel]:
    """The estimate's model and the richer ones, as far as the texture determines them.

    Tiles cannot agree on parameters that the texture does not determine.
    """
    gradient_moments, models = evidence.coarse.gradient_moments, MODELS.values()
    richer = (each for each in models if each.size >= model.size)
    return [each for each in richer if not len(undetermined_directions(gradient_moments, each))]


@dataclass(frozen=True, eq=False)
class _Analysis:
    """The tiles and the points of the main motion.

    Attributes:
        matches: the tiles.
        within: (m, 2) points, px of the target.
        warp: (3, 3), target pixel -> source pixel.
        target_size, source_size: (width, height).
    """

    matches: Matches
    within: Points
    warp: Matrix
    target_size: Size
    source_size: Size

    def systematic(
        self, model: MotionModel, determined: Sequence[MotionModel]
    ) -> ResidualDisplacement:
        """The systematic displacement that remains after an estimate of a model.

        Args:
            model: of the estimate.
            determined: it, and the richer ones that may explain the residual displacement.
        """
        matches, size = self.matches, self.target_size
        explained = None
        if len(determined) > 1:
            explained = explained_by_richer(model, matches, size, self._largest[1])
        chosen = model if explained is None or explained not in determined else explained
        transform, fit = self._fitted(chosen)
        own = fit if chosen is model else self._fitted(model)[1]
        moved = map_points(transform, self.within) - self.within
        basis, field, explanation = model_basis(chosen), fit, chosen.name
        certain = chosen is not model or self._certain(basis, fit, moved)
        smooth, supported = None, np.ones(len(self.within), np.bool_)
        if MODELS[LARGEST] in determined:
            smooth = supported_smooth_field(matches, size, self.within)
        if smooth is not None and _needs_smooth_field(smooth, self._largest, matches, size):
            explanation = explanation if certain and _explains(transform, matches) else ""
            basis, field, supported = smooth.basis, smooth.fit, smooth.supported
            moved, certain = basis.evaluate(field.parameters, self.within, size), True
        # The displaced position must be within the source too.
        shown = supported & _inside(map_points(self.warp, self.within + moved), self.source_size)
        within, moved = self.within[shown], moved[shown]
        own = replace(
            own,
            residual=field.residual,
            precision=field.precision,
            weight=field.weight,
            scatter_px=field.scatter_px,
        )
        if not len(within):
            return replace(UNMEASURED, matches=matches, fit=own)
        some = np.arange(0.0, len(within), SUBSAMPLING).astype(np.intp)
        drift = _drift(model, basis, field, moved[some], within[some], size)
        if not certain:
            return ResidualDisplacement(0.0, NOWHERE, matches=matches, fit=own, drift=drift)
        outside_model = chosen is not model or field is not fit
        length = np.hypot(*moved.T)
        at = int(length.argmax())
        place = (float(within[at, 0]), float(within[at, 1]))
        px = float(length[at])
        reported = explanation if explanation and px > REPORTED_PX else None
        return ResidualDisplacement(
            px, place, reported, matches=matches, fit=own, drift=drift, outside_model=outside_model
        )

    @cached_property
    def _largest(self) -> tuple[Matrix, Fit]:
        """The transform of the largest model that fits the tiles best, and the fit."""
        return fitted_transform(MODELS[LARGEST], self.matches, self.target_size)

    def _fitted(self, model: MotionModel) -> tuple[Matrix, Fit]:
        """The same of any model."""
        if model.name == LARGEST:
            return self._largest
        return fitted_transform(model, self.matches, self.target_size)

    def _certain(self, basis: Basis, fit: Fit, moved: Points) -> bool:
        """Whether the tiles agree on another transform of the estimate's own model."""
        variance = basis.variance(fit, self.within, self.target_size)
        squares = np.square(moved).sum(axis=1) / variance
        return math.sqrt(float(squares.mean())) > CERTAIN_SIGMAS


def _explains(transform: Matrix, matches: Matches) -> bool:
    """Whether a transform removes more than half of the displacement of most tiles."""
    moved = map_points(transform, matches.position) - matches.position
    before, after = (
        float(np.median(np.hypot(*each.T)))
        for each in (matches.displacement, matches.displacement - moved)
    )
    return after < 0.5 * before


def _needs_smooth_field(
    smooth: SmoothField, flat: tuple[Matrix, Fit], matches: Matches, size: Size
) -> bool:
    """Whether a smooth field is significantly better than a homography.

    It must also predict left-out tiles better: errors that neighbouring tiles share look
    significant to an F test.
    """
    homography = model_basis(MODELS[LARGEST])
    simple = refit(homography.design(matches.position, size), matches.displacement, smooth.fit)
    if log10_p_value(simple, smooth.fit) >= math.log10(SIGNIFICANCE):
        return False
    transform, fit = flat
    moved = map_points(transform, matches.position)
    left = (
        leave_one_out(homography.design(moved, size), fit),
        leave_one_out(smooth.basis.design(matches.position, size), smooth.fit),
    )
    scatter = min(common_scatter(each, matches.covariance) for each in left)
    variance = add_scatter(matches.covariance, scatter)
    of_flat, of_smooth = (tukey_loss(each, variance) for each in left)
    return of_smooth < of_flat


def _drift(
    model: MotionModel, basis: Basis, field: Fit, moved: Points, within: Points, size: Size
) -> Vector:
    """(p,) change of the estimate's parameters towards a field, by least squares.

    Shrunk by the field's uncertainty: to zero if chance alone would make it as long (the
    positive-part estimator of James and Stein 1961).

    Args:
        model: of the estimate, p parameters.
        basis: of the displacements.
        field: of that basis.
        moved: (m, 2) px, the field at points of the overlap.
        within: (m, 2) these points.
        size: (width, height) of the target.
    """
    rows = model_basis(model).design(within, size).reshape(-1, model.size)
    projection = np.linalg.pinv(rows.T @ rows) @ rows.T
    change = projection @ basis.design(within, size).reshape(-1, basis.size)
    parameters = projection @ moved.ravel()
    if not np.isfinite(field.covariance).all():
        return parameters
    information = np.linalg.pinv(change @ field.covariance @ change.T)
    squared = float(parameters @ information @ parameters)
    shrinkage = max(1.0 - model.size / squared, 0.0) if squared > 0.0 else 0.0
    return np.asarray(math.sqrt(shrinkage) * parameters)
