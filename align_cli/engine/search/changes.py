"""What changed between two aligned images: their residual, its noise and its unit."""

from __future__ import annotations

import math

import numpy as np

from align_cli.engine.arrays import Matrix, Plane
from align_cli.engine.geometry.coordinates import Size, map_points
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.noise import noise_level
from align_cli.engine.records import IlluminationRecord
from align_cli.engine.result.changed import Changed, changed_areas
from align_cli.engine.search.full_scale import no_change
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

    Where something does, it must without any change of illumination too, and the lesser of both is
    told: text at another sub-pixel position blurs its own contrast, which the illumination that was
    solved for (few other grey values there may be on a page) takes for a gain.

    ``of_full_scale``: whether a grey level is a share of full scale; of the range of the target's
    valid pixels otherwise.
    """

    def under(light: IlluminationRecord) -> Changed:
        return _changes_under(
            light, source, target, warp, above_levels=above_levels, of_full_scale=of_full_scale
        )

    found = under(illumination)
    if not (found.areas and illumination.changes):
        return found
    return min(found, under(no_change()), key=lambda each: each.pixels)


def _changes_under(
    illumination: IlluminationRecord,
    source: Luma,
    target: Luma,
    warp: Matrix,
    *,
    above_levels: float,
    of_full_scale: bool,
) -> Changed:
    """What differs after an illumination."""
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
            pixel_px=_source_pixel_px(warp, target.size),
        )


def _source_pixel_px(warp: Matrix, size: Size) -> float:
    """Side of a source pixel at the centre of the target, in target pixels."""
    x, y = (size[0] - 1) / 2.0, (size[1] - 1) / 2.0
    corners = map_points(warp, np.array([[x, y], [x + 1.0, y], [x, y + 1.0]]))
    area = abs(float(np.linalg.det(corners[1:] - corners[0])))
    return 1.0 / math.sqrt(area) if math.isfinite(area) and area > 0.0 else 1.0


def _range(plane: Plane, target: Luma) -> float:
    """The range of the valid pixels of a plane; 1 if they are all equal."""
    valid = plane if target.valid is None else plane[target.valid]
    return float(np.ptp(valid)) or 1.0 if valid.size else 1.0
