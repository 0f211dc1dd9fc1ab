"""Lets the allocator keep freed memory for the next buffer.

glibc maps every large block afresh and unmaps it when it is freed; each page of it then costs a
fault, a microsecond or two, at its first touch: 3 of the 16 ms of a small alignment. What counts as
large grows to the largest block that was ever freed, up to 32 MiB, and twice as much may then lie
unused at the end of the heap (mallopt(3), M_MMAP_THRESHOLD). So one block of that size, asked for
and freed untouched, spares every later one its faults. Other allocators take no notice.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

LARGEST_KEPT: Final = (32 << 20) - (1 << 16)
"""Largest block, in bytes, that raises glibc's threshold, its header included."""


@cache
def keep_freed_memory() -> None:
    """Make glibc keep freed memory, once in a process."""
    np.empty(LARGEST_KEPT, np.uint8)
