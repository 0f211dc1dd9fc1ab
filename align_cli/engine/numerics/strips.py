"""How much of an image is worked on at a time."""

from __future__ import annotations

from typing import Final

STRIP_PIXELS: Final = 1 << 16
"""Pixels in a strip of rows, what a thread takes at a time: what is made on the way of it then fits
in the processor's cache, and the 0.2 ms of work that the sums of a strip take are ten times what it
costs to hand it over."""

LARGE_STRIP_PIXELS: Final = 1 << 19
"""Where little is made on the way, or a strip needs rows beside its own: a warp by strips of
``STRIP_PIXELS`` takes half as long again (24 MP in colour), and the denoising of an image of 4 MP
would do nearly all of its rows twice."""
