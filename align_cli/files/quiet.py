"""Keep the imaging libraries from writing to stderr, and from their own size limits, while read.

Warnings filters, log levels and Pillow's limit are global to the process. Two pictures may be
read in two threads, so each setting is applied when the first reader enters and undone when the
last one leaves.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress


class WhileAnyoneReads:
    """A context manager that holds a global setting as long as at least one thread is inside.

    Args:
        setting: makes a context manager that applies the setting and undoes it.
    """

    def __init__(self, setting: Callable[[], AbstractContextManager[None]]) -> None:
        self._setting = setting
        self._lock = threading.Lock()
        self._inside = 0
        self._held = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._held.enter_context(self._setting())
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._held.close()


@WhileAnyoneReads
@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings, and what tifffile reports of damaged tags through logging.

    That prints to stderr when unconfigured.
    """
    import logging  # noqa: PLC0415 - rarely needed

    logger = logging.getLogger("tifffile")
    was_disabled, logger.disabled = logger.disabled, True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logger.disabled = was_disabled


@WhileAnyoneReads
@contextmanager
def silent_opencv() -> Iterator[None]:
    """Keep OpenCV from logging."""
    import cv2.utils.logging as log  # noqa: PLC0415

    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    yield
    log.setLogLevel(level)


@WhileAnyoneReads
@contextmanager
def no_libpng_on_stderr() -> Iterator[None]:
    """Send file descriptor 2 into a pipe; afterwards pass on all lines but those of libpng.

    libpng prints from C, past every setting of Python and OpenCV. What other threads print in the
    meantime comes a little later, but is not lost.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nobody reads it
        yield
        return
    outlet, inlet = os.pipe()
    for end in (outlet, inlet):  # neither a full pipe nor a forked child may block us
        os.set_blocking(end, False)
    os.dup2(inlet, 2)
    os.close(inlet)
    yield
    os.dup2(stderr, 2)
    os.close(stderr)
    held = b""
    with suppress(BlockingIOError):
        held = os.read(outlet, 1 << 16)
    os.close(outlet)
    others = [line for line in held.splitlines(True) if not line.startswith(b"libpng")]
    if others:
        os.write(2, b"".join(others))


@WhileAnyoneReads
@contextmanager
def no_pillow_limit() -> Iterator[None]:
    """Lift Pillow's limit of pixels; ours is checked instead, see ``limits``."""
    from PIL import Image  # noqa: PLC0415

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    yield
    Image.MAX_IMAGE_PIXELS = limit
