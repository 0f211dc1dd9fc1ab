"""Row subsampling of a large image: bands of equal height, evenly spaced.

Eight parameters need far fewer than four million pixels for an accuracy of a thousandth of a pixel.
Bands instead of single rows, because gradients, tiles and the cache need neighbouring rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

BAND_ROWS: Final = 36
"""Rows of a band: three tiles of the covariance."""

MOST_ROWS_SHARE: Final = 0.75
"""Share of the rows above which all rows are used."""

FEWEST_BANDS: Final = 8
"""Least number of bands, so that they include the ends of the image, which determine rotation and
perspective best."""


@dataclass(frozen=True)
class Bands:
    """Rows ``first + i * period`` to ``+ rows`` of an image, for i below ``count``.

    The selected rows are stacked: (count * rows, width).
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
        """Bands of about ``most_pixels`` of an image at most; the whole image if it has no more."""
        count = max(FEWEST_BANDS, most_pixels // (BAND_ROWS * width))
        if height * width <= most_pixels or count * BAND_ROWS > MOST_ROWS_SHARE * height:
            return cls.whole(height)
        period = height // count
        rest = height - ((count - 1) * period + BAND_ROWS)
        return cls(rest // 2, BAND_ROWS, period, count)

    @property
    def all_rows(self) -> bool:
        """Whether all rows are selected."""
        return self.count == 1

    @property
    def slices(self) -> list[slice]:
        """The rows of each band in the image."""
        tops = [self.first + i * self.period for i in range(self.count)]
        return [slice(top, top + self.rows) for top in tops]

    def row(self, stacked: int) -> int:
        """Row of the image that a stacked row is."""
        band, row = divmod(stacked, self.rows)
        return self.first + band * self.period + row

    @property
    def y(self) -> NDArray[np.float64]:
        """(count * rows,) y coordinate in the image of each stacked row."""
        return np.concatenate([np.arange(s.start, s.stop, dtype=np.float64) for s in self.slices])

    def cut(self, most_rows: int, *, multiple: int = 1) -> list[slice]:
        """Slices of the stacked rows of at most ``most_rows``, each within one band.

        All but the last of each band have the same length, a multiple of ``multiple``.
        """
        pieces = -(-self.rows // max(1, most_rows))
        rows = -(-self.rows // (pieces * multiple)) * multiple
        return [
            slice(top, min(top + rows, band + self.rows))
            for band in range(0, self.count * self.rows, self.rows)
            for top in range(band, band + self.rows, rows)
        ]

    def groups(self, most_rows: int) -> list[slice]:
        """Slices of the stacked rows of about ``most_rows``: parts of a band, or whole bands."""
        whole = most_rows // self.rows
        if whole <= 1:
            return self.cut(most_rows)
        end = self.count * self.rows
        tops = range(0, end, whole * self.rows)
        return [slice(top, min(top + whole * self.rows, end)) for top in tops]
