"""What counts as nothing."""

from __future__ import annotations

from typing import Final

NEGLIGIBLE: Final = 1e-3
"""Share of a whole that is nothing: 8 bits round by 0.0011 of what nine tenths of an image's values
span."""

ROUNDING: Final = 1e-12
"""Share of the largest of some numbers in double precision that is rounding, after the few thousand
operations that a solve takes."""
