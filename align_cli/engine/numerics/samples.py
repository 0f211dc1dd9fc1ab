"""Sizes of the samples from which statistics of an image are estimated."""

from __future__ import annotations

from typing import Final

SAMPLE_PIXELS: Final = 1 << 14
"""Pixels of a sample: a standard deviation is known from them to 0.6 %, 1 / sqrt(2 n)."""

SAMPLE_ROWS: Final = 64
"""Rows or columns, evenly spaced, that stand for all: each part of 2 % of the height has one."""

SAMPLE_STEP: Final = 4
"""Every fourth pixel of every fourth row, where all of an image is sampled: 6 % of its pixels."""
