"""The answer of a search as an ``Alignment``, and its displacements at all tiles of the target."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import takewhile

import numpy as np

from align_cli.engine.arrays import Image, Mask, Matrix
from align_cli.engine.displacements.evidence import gather_evidence
from align_cli.engine.displacements.views import IntensityView, OrientationView, PairView
from align_cli.engine.equations.pair import Pair
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.geometry.models import describe
from align_cli.engine.images.luma import luma_with_options
from align_cli.engine.options import GRADIENT, Options
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.search.attempt import Attempt
from align_cli.engine.search.cleaned_pair import cleaned_pair
from align_cli.engine.search.mirror import mirror
from align_cli.engine.solver.orientation_levels import View
from align_cli.engine.target.target import Target
from align_cli.engine.verdict.limits import within_limits
from align_cli.engine.verdict.summary import with_field


def as_alignment(attempt: Attempt) -> Alignment:
    """The ``Alignment`` of an attempt, with the user's limits applied."""
    task, model = attempt.similarity.task, attempt.model
    source_to_target, size = inverse(attempt.warp), task.pair.source.size
    parameters = describe(source_to_target, model, size)
    outcome, quality = attempt.outcome, attempt.quality
    outcome = within_limits(outcome, task.options, parameters, quality)
    gain, bias, illumination = math.nan, math.nan, None
    if outcome.vouched:
        solved = attempt.descent.state.illumination
        gain, bias = task.pair.full_scale_illumination(solved)
        illumination = attempt.similarity.full_scale(solved)
    else:  # one that was fitted to what does not correspond
        quality = quality.without_illumination()
    return Alignment(
        model=model.name,
        source_to_target=source_to_target,
        target_to_source=attempt.warp,
        parameters=parameters,
        outcome=outcome,
        quality=quality,
        uncertainty=attempt.assessment.uncertainty if outcome.vouched else None,
        gain=gain,
        bias=bias,
        illumination=illumination,
        levels=attempt.descent.records,
        start=attempt.start,
        source_size=size,
        target_size=task.pair.target.size,
        similarity=attempt.similarity.name,
        displacements=attempt.assessment.displacements,
        path=_path(attempt),
        searched=attempt.searched,
    )


def _path(attempt: Attempt) -> tuple[Matrix, ...]:
    """The descent of an attempt, source -> target, up to the first warp without an inverse."""
    regular = takewhile(lambda warp: abs(np.linalg.det(warp)) > 0.0, attempt.descent.path)
    return tuple(inverse(warp) for warp in regular)


def with_all_tiles(
    found: Alignment,
    source: Image,
    mask: Mask | None,
    target: Target,
    of_target: View,
    options: Options,
) -> Alignment:
    """The same alignment, with the displacements of all tiles of the target.

    Args:
        found: the alignment.
        source: its source.
        mask: (height, width) bool, the pixels of the source to use; None for all.
        target: its target.
        of_target: the orientations of the target's edges.
        options: of the alignment.
    """
    if found.displacements is None:
        return found
    warp = found.target_to_source
    if found.mirrored:
        warp = mirror(source.shape[1]) @ warp
        source = np.ascontiguousarray(source[:, ::-1])
        mask = None if mask is None else np.ascontiguousarray(mask[:, ::-1])
    pair = Pair(luma_with_options(source, "source", mask, options), target)
    kept = found.displacements.fixed_pattern
    without = cleaned_pair(pair, options) if kept is not None else None
    if without is not None:
        pair, _ = without
        of_target = View(pair.target.image, pair.target.levels)
    view: PairView
    if found.similarity == GRADIENT:
        view = OrientationView(View(pair.source, pair.levels), of_target)
    else:
        view = IntensityView(pair, pair.illumination_under(warp).gain)
    evidence = gather_evidence(view, warp, parameters=0, tests=1, all_tiles=True)
    if evidence is None:
        return found
    return replace(found, displacements=with_field(found.displacements, evidence.field))
