"""The types of a picture's pixels, wherever one is passed around."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from align_cli.files.metadata.record import NOTHING, Metadata

Pixels: TypeAlias = "npt.NDArray[np.integer[Any] | np.floating[Any]]"
"""(H, W) or (H, W, C) numbers; which dtypes and channels is said where one is taken."""


def full_scale(pixels: Pixels) -> int:
    """Return the value of white: 255 or 65535 for unsigned integers, 1 for floating point."""
    return 2 ** (8 * pixels.dtype.itemsize) - 1 if pixels.dtype.kind == "u" else 1


def swapped(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (H, W, 3) or (H, W, 4) RGB as OpenCV has it, BGR; or what it has as RGB."""
    import cv2  # noqa: PLC0415 - 90 ms to import; --help must not pay for it

    swap = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    return np.asarray(cv2.cvtColor(pixels, swap))


class Indexed(NamedTuple):
    """A picture of few colours.

    Attributes:
        indices: (H, W) uint8, into ``colours``.
        colours: (N, 3) uint8 RGB, or (N, 4) RGBA; N up to 256.
    """

    indices: npt.NDArray[np.uint8]
    colours: npt.NDArray[np.uint8]

    def rgb(self) -> npt.NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 picture itself, (H, W, 4) where the palette has alpha."""
        return self.colours[self.indices]

    def like_rgb(self) -> npt.NDArray[np.uint8]:
        """Return an array of the dtype and shape of ``rgb()`` that takes no memory."""
        return np.broadcast_to(self.colours[0], (*self.indices.shape, self.colours.shape[1]))


class Integers(NamedTuple):
    """What integers were that arrive as floats, because nothing else can align them.

    Attributes:
        dtype: its name, such as "int32".
        no_data: the value that became NaN; None for none.
    """

    dtype: str
    no_data: float | None = None

    def limits(self) -> tuple[int, int]:
        """Return the least and the largest value."""
        limits = np.iinfo(self.dtype)
        return int(limits.min), int(limits.max)

    def restored(self, pixels: Pixels) -> Pixels:
        """Return floats that are such integers, as integers; NaN is no data again."""
        missing = np.isnan(pixels)
        if missing.any():
            pixels = np.where(missing, self.no_data or 0.0, pixels)
        return pixels.astype(self.dtype)


def shown_pixels(picture: Pixels | Indexed) -> Pixels:
    """Return pixels, or an array of the dtype and shape of what a palette shows."""
    return picture.like_rgb() if isinstance(picture, Indexed) else picture


class Decoded(NamedTuple):
    """What a decoder makes of a file.

    Attributes:
        pixels: as in :class:`align_cli.files.images.Picture`.
        metadata: what the file says beside the pixels.
        valid: (H, W), False where the file says that its integers are no data; None where all are.
        indexed: the picture by its palette, where the file has one that is kept.
        integers: what the pixels were, where they are integers that arrive as floats.
    """

    pixels: Pixels
    metadata: Metadata = NOTHING
    valid: npt.NDArray[np.bool_] | None = None
    indexed: Indexed | None = None
    integers: Integers | None = None
