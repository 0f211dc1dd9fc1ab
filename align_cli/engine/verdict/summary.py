"""The statistics of a displacement field, for reports and files."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from align_cli.engine.arrays import quantile
from align_cli.engine.displacements.evidence import SIGMAS, Evidence
from align_cli.engine.displacements.field import DisplacementField
from align_cli.engine.displacements.records import Displacements
from align_cli.engine.verdict.sufficiency import ResidualDisplacement


def summarise(evidence: Evidence, left: ResidualDisplacement) -> Displacements:
    """The record of the displacements that remain after an estimate.

    Args:
        evidence: for the estimate.
        left: its residual displacement.
    """
    return Displacements(
        field=evidence.field,
        tiles=evidence.tiles,
        sampled=evidence.tested,
        stationary=evidence.stationary,
        log10_false_alarms=evidence.log10_false_alarms,
        **length_statistics(evidence.field),
        systematic_px=left.px,
        systematic_at_px=left.at_px,
        explained_by=left.explained_by,
        second_motion=left.second,
    )


def with_field(displacements: Displacements, field: DisplacementField) -> Displacements:
    """The same with the field of other tiles, such as all of them."""
    return replace(displacements, field=field, **length_statistics(field))


def length_statistics(field: DisplacementField) -> dict[str, Any]:
    """The attributes of ``Displacements`` that follow from the lengths of a field."""
    matched = field.matched
    length = np.hypot(*field.displacement[matched].T)
    sigma = np.sqrt(np.trace(field.covariance[matched], axis1=1, axis2=2))
    largest, at = math.nan, (math.nan, math.nan)
    if length.size:
        index = int((length - SIGMAS * sigma).argmax())
        largest = float(length[index])
        x, y = field.position[matched][index].tolist()
        at = x, y
    half, one, two = (
        float((length <= px).mean()) if length.size else math.nan for px in (0.5, 1.0, 2.0)
    )
    return {
        "median_px": float(quantile(length, 0.5)) if length.size else math.nan,
        "p95_px": float(quantile(length, 0.95)) if length.size else math.nan,
        "largest_px": largest,
        "largest_at_px": at,
        "within_half_px": half,
        "within_1_px": one,
        "within_2_px": two,
    }
