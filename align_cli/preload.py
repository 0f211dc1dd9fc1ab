"""Have the system load the large libraries while Python is still busy with its own modules.

A part of what it takes to start is spent by the system's loader on what numpy and cv2 are built on
(BLAS, codecs): it maps them and ties them together. An ``import`` makes the whole interpreter wait
for that, and so does ``ctypes.CDLL`` (unlike what is called through it). Here a thread asks the
system for them first, and leaves the interpreter free meanwhile; the imports then find them loaded.

Only libraries that know nothing of Python: the extension modules themselves begin to use the
interpreter while they are loaded, which is safe in an ``import`` alone (loaded like this, one start
in a hundred went wrong).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Final

LIBRARIES: Final = (
    ("numpy", "numpy.libs/*.so*"),
    ("cv2", "opencv_python*.libs/*.so*"),
)
"""Packages, and where beside them their wheels keep such libraries, in the order in which they are
imported. Where a platform has other names for them, there is nothing to be found and nothing is
lost."""

_NO_WORK: Final = {"-h", "--help", "--version"}


def preload(arguments: Sequence[str]) -> Thread | None:
    """Begin to load the libraries, if this command line can be expected to need them.

    Returns:
        The thread that loads them, to be joined before anything imports numpy or cv2: while
        libraries are loaded they read the environment, which these imports change. At the same time
        that crashes one start in thousands.
    """
    files = [each for each in arguments if not each.startswith("-")]
    paths = [] if len(files) < 2 or _NO_WORK.intersection(arguments) else libraries()
    if not paths:
        return None
    # The thread itself imports nothing: what it and another imported at the same time could be
    # half made. importlib then is a second, empty one, as its first comment warns.
    thread = Thread(target=load, args=(system_loader(), paths))
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads: the imports load them
        return None
    return thread


def libraries() -> list[str]:
    """Paths of the libraries, in the order in which they are needed."""
    from importlib.util import find_spec  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    found: list[str] = []
    for package, pattern in LIBRARIES:
        with contextlib.suppress(ImportError, ValueError):
            spec = find_spec(package)
            for folder in (spec and spec.submodule_search_locations) or ():
                found += map(str, Path(folder).parent.glob(pattern))
    return found


def system_loader() -> Callable[[bytes, int], object]:
    """The system's own ``dlopen``, which is given a path and flags."""
    import ctypes  # noqa: PLC0415

    dlopen: Callable[[bytes, int], object] = ctypes.CDLL(None).dlopen
    return dlopen


def load(loader: Callable[[bytes, int], object], paths: Sequence[str]) -> None:
    """Load the libraries; what cannot be loaded is told by the import that needs it."""
    for path in paths:
        loader(os.fsencode(path), os.RTLD_NOW)
