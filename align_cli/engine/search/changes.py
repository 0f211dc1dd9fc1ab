"""What changed between two aligned images: their residual, its noise and its unit."""

from __future__ import annotations

import math

import numpy as np

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.noise import noise_level
from align_cli.engine.records import IlluminationRecord
from align_cli.engine.result.changed import Changed, changed_areas
from align_cli.engine.search.quality import residual_image


def changes(
    source: Luma,
    target: Luma,
    warp: Matrix,
    illumination: IlluminationRecord,
    *,
    above_levels: float,
    of_full_scale: bool,
) -> Changed:
    """What differs under a warp, target -> source; ``align_cli.engine.result.changed``.

    ``of_full_scale``: whether a grey level is a share of full scale; of the range of the target's
    valid pixels otherwise.
    """
    residual, overlap = residual_image(source, target, warp, illumination)
    plane = target.plane
    unit = 1.0 if of_full_scale else _range(plane, target) * target.scale
    factor = abs(float(illumination.factor[0]))
    noise = math.hypot(
        noise_level(source) * source.scale * factor, noise_level(target) * target.scale
    )
    with np.errstate(over="ignore"):  # float64 images may differ by more than float32 holds
        return changed_areas(
            residual * np.float32(1.0 / unit),
            overlap,
            plane * np.float32(target.scale / unit),
            noise=noise / unit,
            above_levels=above_levels,
        )


def _range(plane: Plane, target: Luma) -> float:
    """The range of the valid pixels of a plane; 1 if they are all equal."""
    valid = plane if target.valid is None else plane[target.valid]
    return float(np.ptp(valid)) or 1.0 if valid.size else 1.0
