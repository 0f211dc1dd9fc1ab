"""How large a picture may be, checked from its header before any pixel is decoded."""

from __future__ import annotations

import math

from align_cli.files.errors import ContentError

DEFAULT_MAX_MEGAPIXELS = 512.0
"""A picture of so many, RGB, takes 1.5 GB as 8 bit and 6 GB as float32: about what a large machine
can still align. Damaged or hostile headers ask for far more."""


def check_size(width: int, height: int, max_megapixels: float, share: float = 1.0) -> None:
    """Raise ContentError for a picture without pixels, or with more than the limit allows.

    ``share`` is how many times the room of an ordinary picture each pixel takes.
    """
    if width <= 0 or height <= 0:
        raise ContentError(f"has no pixels ({width} x {height})", "use an image that has pixels")
    megapixels = width * height * share / 1e6
    bands = "with all its bands equivalent to " if share > 1 else ""
    if megapixels > max_megapixels:
        raise ContentError(
            f"has {width} x {height} pixels ({bands}{_in_words(megapixels)}), "
            f"more than the limit of {max_megapixels:g} megapixels",
            f"raise the limit with --max-megapixels {_rounded_up(megapixels):g}",
        )


def _in_words(megapixels: float) -> str:
    return f"{megapixels:.1f} megapixels" if megapixels >= 1.0 else f"{megapixels:.2g} megapixels"


def _rounded_up(megapixels: float) -> float:
    """To a whole number, or to two digits where it is less than ten."""
    unit = 10.0 ** min(0, math.floor(math.log10(megapixels)) - 1)
    return math.ceil(megapixels / unit) * unit
