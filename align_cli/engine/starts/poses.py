"""Correlation of edge orientations at every shift, for a grid of angles and scales.

With the orientation planes as one complex number per pixel, z = c + i s, a rotation by an angle
rotates z by twice as much, and all shifts are evaluated at once by FFT (Padfield 2012), over the
overlap alone. A high correlation over a small overlap may be chance: the score is Fisher's z of the
correlation (1921) times the square root of the number of pixels that overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Mask, Matrix, Plane
from align_cli.engine.geometry.coordinates import at_level
from align_cli.engine.geometry.models import MODELS, between_centres
from align_cli.engine.images.pyramid import Level
from align_cli.engine.starts.masked_ncc import LARGEST_ZNCC
from align_cli.engine.starts.phase import peaks
from align_cli.engine.starts.views import Views

MOST_PIXELS: Final = 1 << 13
"""Pixels of the level that is used."""

MOST_CANVAS_PIXELS: Final = 1 << 18
"""Pixels of the canvas on which the rotated source is correlated with the target: a strip of 900x9
would need 2 million, 300 times."""

SMOOTHING_PX: Final = 1.5
"""Standard deviation of the smoothing, so that a pose between two steps is found by either."""

STEP: Final = 6.0
"""Degrees between two angles."""

SCALES: Final = (1.0, 0.8, 1.25, 0.63, 1.6)
"""Thirds of an octave, about."""

LEAST_OVERLAP: Final = 0.25
"""Least overlap of a shift, as a share of the smaller image's pixels."""

LEAST_ENERGY: Final = 0.01
"""Least energy of each image over an overlap, relative to its largest. Without it, texture on black
would match black."""

PEAKS: Final = 2
"""Shifts that each pose proposes."""

MOST_GUESSES: Final = 8
"""Poses that are tried, those that correlate best."""

KNOWN_SHARE: Final = 0.99
"""A pixel of a rotated image is valid if at least this share of its interpolation weights is."""

_Complex = NDArray[np.complex64]


class _Spectra(NamedTuple):
    """Spectra of the valid pixels of an image, of its orientations and of their energy."""

    known: _Complex
    planes: _Complex
    energy: _Complex


def guesses(views: Views) -> Iterator[Matrix]:
    """Poses, those that correlate best first; warps, target -> source, at full size."""
    level = views.reduced(MOST_PIXELS)
    if views.orientations is None or level is None:
        return
    (source, of_source), (target, of_target) = (
        _planes(*planes) for planes in views.orientations(level)
    )
    # A rotated source may need its diagonal.
    side = math.ceil(math.hypot(*of_source.shape))
    reach = math.ceil(side / min(_scales(views)))
    shape = tuple(cv2.getOptimalDFTSize(reach + extent) for extent in of_target.shape)
    if math.prod(shape) > MOST_CANVAS_PIXELS:
        return
    target_spectra = _spectra(target, of_target, (shape[0], shape[1]))
    found: list[tuple[float, Matrix]] = []
    for scale in _scales(views):
        for angle in _angles(views):
            warp, canvas = _about_centre(angle, scale, of_source.shape)
            moved, known = _rotated(source, of_source, warp, canvas, angle)
            least = LEAST_OVERLAP * min(np.count_nonzero(known), np.count_nonzero(of_target))
            surface = _significance(
                _spectra(moved, known, (shape[0], shape[1])), target_spectra, least
            )
            for height, x, y in peaks(surface, PEAKS):
                shift = np.eye(3)
                shift[:2, 2] = x, y
                found.append((height, warp @ shift))
    found.sort(key=lambda each: -each[0])
    for _, warp in found[:MOST_GUESSES]:
        yield at_level(warp, -level)


def _angles(views: Views) -> NDArray[np.float64]:
    """Radians, a full turn if the model has rotations."""
    turns = views.model.size >= MODELS["rigid"].size
    return np.asarray(np.radians(np.arange(0.0, 360.0 if turns else STEP, STEP)))


def _scales(views: Views) -> tuple[float, ...]:
    return SCALES if views.model.size >= MODELS["similarity"].size else SCALES[:1]


def _planes(c: Level, s: Level) -> tuple[_Complex, Mask]:
    """Both planes of an image as one, smoothed, and its valid pixels."""
    known = np.ones(c.image.shape, np.bool_) if c.valid is None else c.valid
    smooth = [
        cv2.GaussianBlur(np.where(known, plane.image, np.float32(0.0)), (0, 0), SMOOTHING_PX)
        for plane in (c, s)
    ]
    return np.asarray(smooth[0] + 1j * smooth[1], np.complex64), known


def _about_centre(
    angle: float, scale: float, shape: tuple[int, ...]
) -> tuple[Matrix, tuple[int, int]]:
    """The similarity, canvas -> source, about the centre, and the canvas's (width, height)."""
    height, width = shape
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    across = (abs(c) * width + abs(s) * height) / scale**2
    down = (abs(s) * width + abs(c) * height) / scale**2
    size = math.ceil(across), math.ceil(down)
    return between_centres(angle, scale, (width, height), size), size


def _rotated(
    planes: _Complex, known: Mask, warp: Matrix, size: tuple[int, int], angle: float
) -> tuple[_Complex, Mask]:
    """An image's orientations on a canvas, under a similarity that rotates by an angle."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    both = cv2.warpAffine(
        planes.view(np.float32).reshape(*planes.shape, 2), warp[:2], size, flags=flags
    )
    valid = cv2.warpAffine(known.astype(np.float32), warp[:2], size, flags=flags) > KNOWN_SHARE
    moved = np.ascontiguousarray(both).view(np.complex64)[..., 0]
    # The gradient is rotated by the inverse, and its double angle by twice as much.
    return np.asarray(moved * np.complex64(np.exp(-2j * angle)), np.complex64), valid


def _spectra(planes: _Complex, known: Mask, shape: tuple[int, int]) -> _Spectra:
    inside = np.where(known, planes, np.complex64(0.0))
    energy = (inside.real**2 + inside.imag**2).astype(np.float32)
    return _Spectra(
        *(_spectrum(each, shape) for each in (known.astype(np.float32), inside, energy))
    )


def _spectrum(plane: Plane | _Complex, shape: tuple[int, int]) -> _Complex:
    padded = np.zeros((*shape, 2), np.float32)
    height, width = plane.shape
    padded[:height, :width, 0] = plane.real
    padded[:height, :width, 1] = plane.imag
    return np.ascontiguousarray(cv2.dft(padded, nonzeroRows=height)).view(np.complex64)[..., 0]


def _significance(source: _Spectra, target: _Spectra, least: float) -> NDArray[np.float32]:
    """Fisher's z of the correlation times the root of the pixels that overlap, at every shift.

    The value at [dy, dx], negative shifts from the end, is that of source(x + d) = target(x); 0 if
    fewer pixels overlap than ``least``.
    """

    def sums(one: _Complex, other: _Complex) -> NDArray[np.complex64]:
        product = np.ascontiguousarray(one * np.conj(other)).view(np.float32)
        back = cv2.dft(product.reshape(*one.shape, 2), flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)
        return np.ascontiguousarray(back).view(np.complex64)[..., 0]

    # Two real sums at once: one in the real part, one in the imaginary.
    of_known = sums(source.known + 1j * source.energy, target.known)
    pixels, of_source = of_known.real, of_known.imag
    of_target = sums(source.known, target.energy).real
    # An overlap without edges has only rounding, which correlates with everything.
    energies = [
        np.maximum(each, LEAST_ENERGY * each.max() + np.finfo(np.float32).tiny)
        for each in (of_source, of_target)
    ]
    rho = sums(source.planes, target.planes).real / np.sqrt(energies[0] * energies[1])
    z = np.arctanh(np.clip(rho, -LARGEST_ZNCC, LARGEST_ZNCC)) * np.sqrt(np.maximum(pixels, 0.0))
    return np.where(pixels < least, np.float32(0.0), z).astype(np.float32)
