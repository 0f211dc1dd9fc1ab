"""Pictures as data URIs: lossy or exact, reduced where they are large.

All are reduced by whole factors, so that a pixel on the page is a square of pixels of the image.
"""

from __future__ import annotations

import base64
import io
import math
from functools import reduce
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.files.images import encode_image
from align_cli.files.pixels import Indexed
from align_cli.report.page.stretch import Shown

QUALITY: Final = 90
"""Of WebP."""

METHOD: Final = 0
"""Of WebP's encoder, the quickest: 1 takes a third longer for files that are 3 % smaller."""

MOST_PIXELS: Final = 1_600_000
"""Pictures of more pixels are reduced for the page: what is twice as far away is not read, and a
page of two megabytes can be mailed."""

MOST_SIDE: Final = 16_383
"""Of WebP."""

LOSSY_BYTES: Final = 300_000
EXACT_BYTES: Final = 200_000
"""A lossy or an exact picture that needs more is reduced once more by two. Two lossy and two exact
ones then stay below 1.4 MB in base64. Photographs of a megapixel need 80 to 280 kB; residuals of
noise of two grey levels 440 kB."""

SMALL_PIXELS: Final = 200_000
"""Of a picture that only gives an idea."""


class Embedded(NamedTuple):
    """A picture in a page.

    Attributes:
        uri: ``data:...``.
        width, height: that it takes up, in pixels of the image; up to one block more than that has.
        note: how it was encoded, in words.
    """

    uri: str
    width: int
    height: int
    note: str


def reduction(width: int, height: int, most_pixels: int = MOST_PIXELS) -> int:
    """By which whole factor an image is reduced for the page; 1 where it is not."""
    return max(
        math.ceil(math.sqrt(width * height / most_pixels)),
        math.ceil(max(width, height) / MOST_SIDE),
    )


def picture(shown: Shown, *, lossless: bool, most_pixels: int = MOST_PIXELS) -> Embedded:
    """Embed a picture: by lossy WebP, reduced, or with ``lossless`` as PNG, whole."""
    height, width = shown.colours.shape[:2]
    if lossless:
        return _embedded("png", encode_image("page.png", _with_alpha(shown)), width, height, 1)
    factor = reduction(width, height, most_pixels)
    data = _webp(_reduced(shown, factor))
    while len(data) > LOSSY_BYTES and min(width, height) > factor:
        factor *= 2
        data = _webp(_reduced(shown, factor))
    return _embedded("webp", data, width, height, factor)


def exact(
    levels: NDArray[np.uint8], magnitude: NDArray[Any], colours: NDArray[np.uint8], *, whole: bool
) -> Embedded:
    """Embed a picture by its palette, without loss; of each block that is reduced one pixel stays.

    Args:
        levels: (height, width), indices into ``colours``.
        magnitude: (height, width), integers from -1 to 255: of a block that pixel is kept where it
            is largest.
        colours: (256, 4) RGBA.
        whole: whether it is never reduced.
    """
    height, width = levels.shape
    factor = 1 if whole else reduction(width, height)
    data = encode_image("page.png", Indexed(_largest(levels, magnitude, factor), colours))
    while not whole and len(data) > EXACT_BYTES and min(width, height) > factor:
        factor *= 2
        data = encode_image("page.png", Indexed(_largest(levels, magnitude, factor), colours))
    return _embedded("png", data, width, height, factor, "the largest of")


def _embedded(
    kind: str, data: bytes, width: int, height: int, factor: int, kept: str = "the mean of"
) -> Embedded:
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    across, down = (factor * math.ceil(side / factor) for side in (width, height))
    loss = f"WebP of quality {QUALITY} (lossy)" if kind == "webp" else "PNG (exact)"
    size = f"reduced {factor} times: each pixel is {kept} {factor} x {factor} of the image's"
    return Embedded(uri, across, down, f"{loss}, {size if factor > 1 else 'every pixel'}")


def _webp(shown: Shown) -> bytes:
    from PIL import Image, WebPImagePlugin  # noqa: F401, PLC0415  (or Image would load all of them)

    file = io.BytesIO()
    Image.fromarray(_with_alpha(shown)).save(file, "WEBP", quality=QUALITY, method=METHOD)
    return file.getvalue()


def _with_alpha(shown: Shown) -> NDArray[np.uint8]:
    """(H, W), (H, W, 3) or, where not all is opaque, (H, W, 4)."""
    if shown.opaque is None:
        return np.ascontiguousarray(shown.colours)
    colours = shown.colours
    if colours.ndim == 2:
        colours = np.repeat(colours[..., np.newaxis], 3, axis=2)
    return np.dstack([colours, shown.opaque])


def _reduced(shown: Shown, factor: int) -> Shown:
    if factor == 1:
        return shown
    opaque = shown.opaque
    if opaque is not None:
        hard = bool(((opaque == 0) | (opaque == 255)).all())
        opaque = _mean(opaque, factor)
        if hard:  # a block on the border would be darkened by what is not there
            opaque = np.where(opaque == 255, np.uint8(255), np.uint8(0))
    return Shown(_mean(shown.colours, factor), opaque)


def _mean(plane: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The mean of each block, the last ones continued beyond the border."""
    height, width = plane.shape[:2]
    below, beside = -height % factor, -width % factor
    if below or beside:
        plane = np.asarray(
            cv2.copyMakeBorder(plane, 0, below, 0, beside, cv2.BORDER_REPLICATE), np.uint8
        )
    size = plane.shape[1] // factor, plane.shape[0] // factor
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def _largest(levels: NDArray[np.uint8], magnitude: NDArray[Any], factor: int) -> NDArray[np.uint8]:
    """Of each block of levels the one where the magnitude is largest, of several the largest."""
    if factor == 1:
        return levels
    order = magnitude.astype(np.int32) * (int(np.iinfo(levels.dtype).max) + 1) + levels
    height, width = levels.shape
    order = np.pad(order, ((0, -height % factor), (0, -width % factor)), mode="edge")
    rows = reduce(np.maximum, (order[first::factor] for first in range(factor)))
    blocks = reduce(np.maximum, (rows[:, first::factor] for first in range(factor)))
    return blocks.astype(np.uint8)  # the magnitude lies above these bits
