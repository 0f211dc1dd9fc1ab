"""Have the system load the large libraries while Python is still busy with its own modules.

A sixth of what it takes to start is spent by the system's loader on the libraries of numpy and cv2:
it maps some 300 MB and ties them together. An ``import`` makes the whole interpreter wait for that.
Here a thread asks for the same libraries first, and leaves the interpreter free meanwhile; the
imports then find them loaded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from threading import Thread
from typing import Final

LIBRARIES: Final = (
    ("numpy", "*core/_multiarray_umath*.so"),
    ("cv2", "cv2*.so"),
)
"""Packages and their libraries, in the order in which they are imported. Where a platform has other
names for them, there is nothing to be found and nothing is lost."""

_NO_WORK: Final = {"-h", "--help", "--version"}


def preload(arguments: Sequence[str]) -> None:
    """Begin to load the libraries, if this command line can be expected to need them."""
    files = [each for each in arguments if not each.startswith("-")]
    if len(files) >= 2 and not _NO_WORK.intersection(arguments):
        Thread(target=load).start()


def load() -> None:
    """Load the libraries; what cannot be loaded is told by the import that needs it."""
    import ctypes  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    for package, pattern in LIBRARIES:
        with contextlib.suppress(OSError, ImportError, ValueError):
            spec = find_spec(package)
            for folder in (spec and spec.submodule_search_locations) or ():
                for library in Path(folder).glob(pattern):
                    ctypes.CDLL(str(library))
