"""The illumination between the planes of two images, and between their grey values.

A plane has no unit; grey values are in units of full scale (``align_cli.engine.images.luma.Luma``):
value = offset + scale * plane.
"""

from __future__ import annotations

import numpy as np

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.images.luma import Luma
from align_cli.engine.records import IlluminationRecord


def of_values(illumination: Illumination, source: Luma, target: Luma) -> IlluminationRecord:
    """The illumination between grey values, of that between planes."""
    with np.errstate(over="ignore", invalid="ignore"):  # between images of very different range
        factor = illumination.factor * (target.scale / source.scale)
        offset = target.scale * illumination.offset - factor * source.offset
        offset[0] += target.offset
        return IlluminationRecord(factor, offset)


def of_planes(illumination: IlluminationRecord, source: Luma, target: Luma) -> Illumination:
    """The illumination between planes, of that between grey values."""
    with np.errstate(over="ignore", invalid="ignore"):
        offset = illumination.offset + illumination.factor * source.offset
        offset[0] -= target.offset
        factor = illumination.factor * (source.scale / target.scale)
        return Illumination(factor, offset / target.scale)


def no_change() -> IlluminationRecord:
    """That of an alignment that does not solve for any, without rounding."""
    return IlluminationRecord(*Illumination.uniform())
