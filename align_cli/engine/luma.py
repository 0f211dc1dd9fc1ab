"""From an image as the user has it to the one float32 plane that the solver sees.

Colour becomes luma, integers become shares of their full scale, and whatever is no measurement
(not finite, transparent) is marked as taking no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Image, Mask, Plane, Vector
from align_cli.engine.errors import ImageError
from align_cli.engine.threads import Threads

DTYPES: Final = ("uint8", "uint16", "float32", "float64")

# ITU-R BT.601, the weights of every JPEG and of cv2.cvtColor.
RED_GREEN_BLUE: Final = (0.299, 0.587, 0.114)

ALPHA_CHANNELS: Final = (2, 4)
"""Images with so many channels (grey or RGB and one more) end with alpha."""

SMALLEST_SIDE: Final = 8
"""Below this there is no interior left once the filters' reach is taken off."""

LARGEST_SIDE: Final = 32766
"""cv2 keeps the coordinates of its warps in 16 bits."""

MOST_CV2_CHANNELS: Final = 4

LARGE_PIXELS: Final = 1 << 20
"""Integer images of more pixels are not held converted."""

_STRIP_PIXELS: Final = 1 << 18


Part = tuple[slice | NDArray[np.intp], slice]
"""Rows, or their indices, and columns of an image."""


@dataclass(frozen=True)
class Luma:
    """One image as the solver sees it.

    Attributes:
        plane: (height, width) float32; value in full-scale units = ``offset + scale * plane``.
            Where ``valid`` is False it holds 0.
        valid: (height, width) bool, or None where every pixel takes part.
        offset, scale: 0 and 1 for integer images. Floating-point images may lie anywhere, so
            their mean and spread are taken out before float32 would round them away.
    """

    plane: Plane
    valid: Mask | None
    offset: float
    scale: float

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self.plane.shape
        return width, height

    def part(self, part: Part) -> Plane:
        """Some rows and columns of the plane."""
        return self.plane[part]

    def smoothed(self, part: Part, kernel: Vector) -> Plane:
        """The same, filtered along both axes by a kernel of odd length; mirrored at its borders."""
        return filtered(self.part(part), kernel, kernel)


class LargeLuma(Luma):
    """A large integer image that is converted where it is looked at: its plane would be larger.

    Args:
        colours: (height, width, channels), without alpha.
        divisor: the value that counts as 1.
    """

    _colours: Image
    _divisor: float

    def __init__(self, colours: Image, divisor: float) -> None:
        values = {"_colours": colours, "_divisor": divisor, "valid": None, "offset": 0.0}
        for name, value in (values | {"scale": 1.0}).items():
            object.__setattr__(self, name, value)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        height, width = self._colours.shape[:2]
        return width, height

    @property
    def plane(self) -> Plane:
        """All of it, made anew every time."""
        return _converted(self._colours, self._divisor)

    def part(self, part: Part) -> Plane:
        """Some rows and columns of the plane."""
        return _converted(self._colours[part], self._divisor)

    def smoothed(self, part: Part, kernel: Vector) -> Plane:
        """The same, filtered along both axes by a kernel of odd length; mirrored at its borders."""
        if self._colours.shape[2] > 1:
            return super().smoothed(part, kernel)
        return filtered(self._colours[part][:, :, 0], kernel, kernel / self._divisor)

    def copied(self) -> LargeLuma:
        """The same of a copy of the image, which its owner may then change."""
        return LargeLuma(self._colours.copy(), self._divisor)

    @property
    def flat(self) -> bool:
        """Whether every pixel has the same luma."""
        width, height = self.size
        rows = max(1, _STRIP_PIXELS // width)
        value = self.part(np.s_[:1, :1])[0, 0]
        strips = (self.part(np.s_[top : top + rows, :]) for top in range(0, height, rows))
        return all((strip == value).all() for strip in strips)


def filtered(image: Image, across: Vector, down: Vector) -> Plane:
    """An image of one channel, (height, width), filtered by two kernels of odd length, float32."""
    found = cv2.sepFilter2D(image, cv2.CV_32F, across, down, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(found, np.float32)


def full_scale(image: Image) -> float:
    """The value that counts as 1.0: the largest integer of the dtype, 1 for floats."""
    return float(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else 1.0


def check_kind(image: Image, role: str) -> None:
    """Check shape and dtype.

    Raises:
        ImageError: if the image is not (H, W) or (H, W, C) of a supported dtype.
    """
    if not isinstance(image, np.ndarray):
        raise ImageError(f"expected a numpy array, got {type(image).__name__}", role=role)
    if image.dtype.name not in DTYPES:
        raise ImageError(
            f"dtype {image.dtype.name} is not supported; convert it to one of {', '.join(DTYPES)}",
            role=role,
        )
    if image.ndim not in (2, 3):
        raise ImageError(
            f"expected (height, width) or (height, width, channels), got shape {image.shape}",
            role=role,
        )
    if image.ndim == 3 and image.shape[2] == 0:
        raise ImageError("the image has no channels", role=role)


def check_image(image: Image, role: str) -> None:
    """Check shape, dtype and size.

    Raises:
        ImageError: if the image is not (H, W) or (H, W, C) of a supported dtype and size.
    """
    check_kind(image, role)
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ImageError(
            f"{width}x{height} px is too small to align; each side needs {SMALLEST_SIDE} px",
            role=role,
        )
    if max(height, width) > LARGEST_SIDE:
        raise ImageError(
            f"{width}x{height} px is too large; a side may have {LARGEST_SIDE} px", role=role
        )


def luma(image: Image, role: str = "image") -> Luma:
    """Convert an image to the plane that is aligned.

    Grey is taken as it is, RGB becomes luma, any other number of channels their mean. With two or
    four channels the last one is alpha: pixels that are not at all opaque take no part.

    Args:
        image: (height, width) or (height, width, channels); uint8, uint16, float32, float64.
            It is not changed.
        role: "source" or "target", for messages.

    Raises:
        ImageError: if the shape or dtype is unsupported, no pixel is finite, or all are equal.
    """
    check_image(image, role)
    height, width = image.shape[:2]
    pixels = image.reshape(height, width, -1)
    colours, alpha = _split_alpha(pixels)
    floating = image.dtype.kind == "f"
    valid = np.ones((height, width), np.bool_) if floating or alpha is not None else None
    if valid is not None:
        if floating:
            valid &= np.isfinite(pixels).all(axis=2)
        if alpha is not None:
            valid &= alpha > 0
        if valid.all():
            valid = None
        elif not valid.any():
            raise ImageError("no pixel is both finite and opaque", role=role)

    if valid is None and not floating and height * width > LARGE_PIXELS:
        large = LargeLuma(colours, full_scale(image))
        if large.flat:
            raise ImageError("the image is flat: every pixel has the same value", role=role)
        return large
    offset, scale = _spread(colours, valid, role) if floating else (0.0, 1.0)
    plane = _converted(colours, scale * full_scale(image), offset)
    if valid is not None:
        plane[~valid] = 0.0
    inside = plane if valid is None else plane[valid]
    if inside.min() == inside.max():
        raise ImageError("the image is flat: every pixel has the same value", role=role)
    return Luma(plane, valid, offset, scale)


def _split_alpha(pixels: Image) -> tuple[Image, Image | None]:
    if pixels.shape[2] in ALPHA_CHANNELS:
        return pixels[:, :, :-1], pixels[:, :, -1]
    return pixels, None


def _spread(colours: Image, valid: Mask | None, role: str) -> tuple[float, float]:
    """Mean and standard deviation of the valid values of a floating-point image."""
    values = (colours if valid is None else colours[valid]).astype(np.float64)
    # Scaled by the largest value first: the square of 1e200 is not finite.
    largest = float(np.abs(values).max())
    if largest == 0.0:
        raise ImageError("the image is flat: every pixel has the same value", role=role)
    values /= largest
    spread = float(values.std()) * largest
    return float(values.mean()) * largest, spread if spread > 0.0 else 1.0


def _converted(colours: Image, divisor: float, offset: float = 0.0) -> Plane:
    """Luma, or mean of the channels, less ``offset``, over ``divisor``."""
    height, width, channels = colours.shape
    weights = RED_GREEN_BLUE if channels == 3 else (1.0 / channels,) * channels
    weights_row = np.array([[weight / divisor for weight in weights]])
    floating = colours.dtype.kind == "f"
    plane = np.empty((height, width), np.float32)
    rows = max(1, _STRIP_PIXELS // width)

    def convert(top: int) -> None:
        strip, out = colours[top : top + rows], plane[top : top + rows]
        if floating:
            clean = np.where(np.isfinite(strip), strip, offset) - offset
            out[:] = clean @ weights_row[0]
        elif channels == 1:
            # First converted, then scaled: both at once takes numpy ten times as long.
            out[:] = strip[:, :, 0]
            out *= np.float32(weights_row[0, 0])
        elif channels <= MOST_CV2_CHANNELS:
            cv2.transform(strip.astype(np.float32), weights_row, dst=out)
        else:
            out[:] = strip @ weights_row[0]

    with Threads() as threads:
        threads.map(convert, range(0, height, rows))
    return plane
