"""Burnt-in captions: opaque marks of the darkest or brightest value, inside the image.

A date, the name of a camera, a reticle. Letters on paper and clipped areas look the same; as with
``common_areas`` only marks that are static in both images are taken, and whether the scene itself
is static is decided by the evidence for another motion without them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from align_cli.engine.arrays import Mask, Plane
from align_cli.engine.images.common_areas import LEAST_AREA, static_areas
from align_cli.engine.images.isolated_pixels import contrast_of
from align_cli.engine.numerics.samples import SAMPLE_STEP

LEAST_SHARE: Final = 0.002
"""Least share of the image that a caption covers: its value is searched at this quantile of all
values."""

MOST_SHARE: Final = 0.25
"""Largest share of the image that a caption covers."""

NEAR_VALUE: Final = 0.125
"""Tolerance of a caption's value, as a share of the image's contrast: noise, and compression
artefacts beside strong edges."""

MOST_BESIDE: Final = 0.5
"""Most pixels whose value differs by once to twice the tolerance, relative to those within: a
caption has a value of its own. Synthetic captions 0.05 to 0.35, the end of a scene's values 2 and
more."""

LEAST_INTERIOR: Final = 0.1
"""Interior pixels of a letter, relative to those of its outline: strokes of 3 px have 0.3, a colour
mosaic, which is static too, none."""

FEW_PIXELS: Final = 1 << 16
"""Images of no more pixels are used without subsampling."""


def common_captions(
    source: Plane, target: Plane, source_valid: Mask | None, target_valid: Mask | None
) -> Mask | None:
    """Opaque marks at the same pixels of both images.

    Args:
        source: (height, width) float32, finite, in any unit.
        target: the same.
        source_valid: (height, width) bool, or None where every pixel is valid.
        target_valid: the same.

    Returns:
        (height, width) bool; None if there are none.
    """
    found: Mask | None = None
    for marks in (darkest_pixels, brightest_pixels):
        both = marks(source, source_valid), marks(target, target_valid)
        still = static_areas(*both, least_interior=LEAST_INTERIOR, least_area=0.0)
        if still is not None and still.mean() >= LEAST_AREA:
            found = still if found is None else found | still
    return found


def darkest_pixels(plane: Plane, valid: Mask | None) -> Mask:
    """(height, width) bool: the pixels of the darkest value, up to noise; none if they are many."""
    return _extreme(plane, valid, lower=True)


def brightest_pixels(plane: Plane, valid: Mask | None) -> Mask:
    """(height, width) bool: the pixels of the brightest value, up to noise; none if many."""
    return _extreme(plane, valid, lower=False)


def _extreme(plane: Plane, valid: Mask | None, *, lower: bool) -> Mask:
    step = SAMPLE_STEP if plane.size > FEW_PIXELS else 1
    some = plane[::step, ::step]
    some = some.ravel() if valid is None else some[valid[::step, ::step]]
    if not some.size:
        return np.zeros(plane.shape, np.bool_)
    tolerance = NEAR_VALUE * contrast_of(some)
    value = float(np.quantile(some, LEAST_SHARE if lower else 1.0 - LEAST_SHARE, method="nearest"))
    inwards = some - value if lower else value - some
    within = np.count_nonzero(inwards <= tolerance)
    beside = np.count_nonzero(inwards <= 2.0 * tolerance) - within
    near = plane <= value + tolerance if lower else plane >= value - tolerance
    near = near if valid is None else near & valid
    known = plane.size if valid is None else np.count_nonzero(valid)
    if np.count_nonzero(near) > MOST_SHARE * known or beside > MOST_BESIDE * within:
        return np.zeros(plane.shape, np.bool_)
    return near
