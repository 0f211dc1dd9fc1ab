"""The filters of PNG (specification, section 9): what is stored is each byte less a prediction.

All work on bytes, modulo 256, on a strip of rows at once; the prediction of a byte is made from the
bytes of the pixels at its left, above it and above its left, which are 0 outside the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = "npt.NDArray[np.uint8]"


class Neighbours(NamedTuple):
    """A strip's bytes and their neighbours, (rows, bytes of a row) each."""

    here: Bytes
    left: Bytes
    above: Bytes
    corner: Bytes

    @classmethod
    def of(cls, rows: Bytes, above: Bytes | None, pixel_bytes: int) -> Neighbours:
        """Find the neighbours of (rows, bytes) ``rows`` under the row ``above``, if there is one.

        Args:
            rows: the strip.
            above: the row before it, or None at the top of the picture.
            pixel_bytes: how far the pixel at the left is.
        """
        height, width = rows.shape
        padded = np.zeros((1 + height, pixel_bytes + width), np.uint8)
        padded[1:, pixel_bytes:] = rows
        if above is not None:
            padded[0, pixel_bytes:] = above
        return cls(
            padded[1:, pixel_bytes:],
            padded[1:, :-pixel_bytes],
            padded[:-1, pixel_bytes:],
            padded[:-1, :-pixel_bytes],
        )


def none(near: Neighbours, out: Bytes) -> None:
    """The bytes themselves."""
    out[:] = near.here


def sub(near: Neighbours, out: Bytes) -> None:
    """Less the left one."""
    np.subtract(near.here, near.left, out=out)


def up(near: Neighbours, out: Bytes) -> None:
    """Less the one above."""
    np.subtract(near.here, near.above, out=out)


def average(near: Neighbours, out: Bytes) -> None:
    """Less the mean, rounded down, of the left one and the one above."""
    # Their sum may need nine bits: twice what both have, and what one of them has.
    mean = near.left ^ near.above
    mean >>= 1
    mean += near.left & near.above
    np.subtract(near.here, mean, out=out)


def paeth(near: Neighbours, out: Bytes) -> None:
    """Less that neighbour which is nearest to left + above - corner; ties in this order."""
    left, above, corner = (each.astype(np.int16) for each in near[1:])
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    nearest = np.where(to_above <= to_corner, near.above, near.corner)
    take_left = (to_left <= to_above) & (to_left <= to_corner)
    np.copyto(nearest, near.left, where=take_left)
    np.subtract(near.here, nearest, out=out)


FILTERS: tuple[Callable[[Neighbours, Bytes], None], ...] = (none, sub, up, average, paeth)
"""By the number that stands before each row."""

NONE, AVERAGE = FILTERS.index(none), FILTERS.index(average)


def filtered(near: Neighbours, number: int) -> Bytes:
    """Return (rows, 1 + bytes): every row by one filter, its number in front."""
    out = np.empty((len(near.here), 1 + near.here.shape[1]), np.uint8)
    out[:, 0] = number
    FILTERS[number](near, out[:, 1:])
    return out


def best_filtered(near: Neighbours) -> Bytes:
    """Return (rows, 1 + bytes): every row by the filter that leaves the least amplitudes.

    The sum of the bytes as signed numbers tells it well (specification, section 12.8).
    """
    best = filtered(near, NONE)
    least = _amplitudes(best)
    for number in range(1, len(FILTERS)):
        other = filtered(near, number)
        amplitudes = _amplitudes(other)
        better = amplitudes < least
        best[better], least[better] = other[better], amplitudes[better]
    return best


def _amplitudes(rows: Bytes) -> npt.NDArray[np.int64]:
    signed = rows[:, 1:].view(np.int8).astype(np.int16)
    return np.asarray(np.abs(signed).sum(axis=1), np.int64)
