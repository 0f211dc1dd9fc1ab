"""Which rows of a large image are looked at: bands of equal height, evenly spaced.

Four million pixels fix eight parameters no better than a thousandth of a pixel needs; the sums of a
level may leave most of its rows out. Bands, and not single rows, so that whatever has neighbours
(gradients, tiles, the cache) still finds them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BAND_ROWS: Final = 36
"""Rows of a band: three tiles of the uncertainty, and little enough next to the filters' reach."""

MOST_ROWS_SHARE: Final = 0.75
"""Of more rows than this the rest is worth its time."""

FEWEST_BANDS: Final = 8
"""So that the ends of the image, which fix rotation and perspective, have a say."""


@dataclass(frozen=True)
class Bands:
    """Rows ``first + i * period`` to ``+ rows`` of an image, for i below ``count``.

    What is picked from an image is stacked: (count * rows, width).
    """

    first: int
    rows: int
    period: int
    count: int

    @classmethod
    def whole(cls, height: int) -> Bands:
        """One band that is the whole image."""
        return cls(0, height, height, 1)

    @classmethod
    def spread(cls, height: int, width: int, most_pixels: int) -> Bands:
        """At most about ``most_pixels`` of an image, or the whole where it has no more."""
        count = max(FEWEST_BANDS, most_pixels // (BAND_ROWS * width))
        if height * width <= most_pixels or count * BAND_ROWS > MOST_ROWS_SHARE * height:
            return cls.whole(height)
        period = height // count
        rest = height - ((count - 1) * period + BAND_ROWS)
        return cls(rest // 2, BAND_ROWS, period, count)

    @property
    def all_rows(self) -> bool:
        """Whether no row is left out."""
        return self.count == 1

    @property
    def slices(self) -> list[slice]:
        """The rows of each band in the image."""
        tops = [self.first + i * self.period for i in range(self.count)]
        return [slice(top, top + self.rows) for top in tops]

    def row(self, stacked: int) -> int:
        """Where in the image a stacked row lies."""
        band, row = divmod(stacked, self.rows)
        return self.first + band * self.period + row

    @property
    def y(self) -> NDArray[np.float64]:
        """(count * rows,) where in the image each stacked row lies."""
        return np.concatenate([np.arange(s.start, s.stop, dtype=np.float64) for s in self.slices])

    def cut(self, most_rows: int, *, multiple: int = 1) -> list[slice]:
        """Slices of the stacked rows, none longer than ``most_rows``, none over a gap.

        All but the last of each band are equal, and hold a ``multiple`` of rows.
        """
        pieces = -(-self.rows // max(1, most_rows))
        rows = -(-self.rows // (pieces * multiple)) * multiple
        return [
            slice(top, min(top + rows, band + self.rows))
            for band in range(0, self.count * self.rows, self.rows)
            for top in range(band, band + self.rows, rows)
        ]

    def groups(self, most_rows: int) -> list[slice]:
        """Slices of the stacked rows, none longer than ``most_rows`` but for a band's sake.

        Each is a part of a band or some whole ones.
        """
        whole = most_rows // self.rows
        if whole <= 1:
            return self.cut(most_rows)
        end = self.count * self.rows
        tops = range(0, end, whole * self.rows)
        return [slice(top, min(top + whole * self.rows, end)) for top in tops]
