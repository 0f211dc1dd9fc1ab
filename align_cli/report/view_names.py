"""The names that ``--overlay-style`` and ``--blink`` take: nothing that loads anything."""

from __future__ import annotations

from typing import Final

STYLES: Final = {
    "checkerboard": "squares of DST and of the warped SRC in turn; edges must continue",
    "red-cyan": "DST in red, the warped SRC in cyan; grey where they agree",
    "outline": "DST with the border of SRC on it",
}
"""The styles of an overlay, the first being the default, and what they show."""

ANIMATIONS: Final = {".gif": "GIF", ".webp": "WEBP", ".apng": "PNG", ".png": "PNG"}
"""Suffixes of animations, and the formats of Pillow that they mean."""
