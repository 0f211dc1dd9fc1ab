"""Keep the imaging libraries from writing to stderr, and from their own size limits, while read.

Warnings filters, log levels and Pillow's limit are global to the process. Two pictures may be
read in two threads, so each setting is applied when the first reader enters and undone when the
last one leaves.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from types import TracebackType


class WhileAnyoneReads:
    """A context manager that holds a global setting as long as at least one thread is inside.

    Args:
        apply: makes the setting and returns the function that undoes it.
    """

    def __init__(self, apply: Callable[[], Callable[[], None]]) -> None:
        self._apply = apply
        self._lock = threading.Lock()
        self._inside = 0
        self._undo: Callable[[], None] = lambda: None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._undo = self._apply()
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._undo()


def _ignore_warnings() -> Callable[[], None]:
    import logging  # noqa: PLC0415 - rarely needed

    caught = warnings.catch_warnings()
    caught.__enter__()
    warnings.simplefilter("ignore")
    # tifffile reports damaged tags through logging, which prints to stderr when unconfigured.
    logger = logging.getLogger("tifffile")
    was_disabled, logger.disabled = logger.disabled, True

    def undo() -> None:
        logger.disabled = was_disabled
        caught.__exit__(None, None, None)

    return undo


def _silence_opencv() -> Callable[[], None]:
    import cv2.utils.logging as log  # noqa: PLC0415

    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)

    def undo() -> None:
        log.setLogLevel(level)

    return undo


def _hold_back_stderr() -> Callable[[], None]:
    """Send file descriptor 2 into a pipe; afterwards pass on all lines but those of libpng.

    libpng prints from C, past every setting of Python and OpenCV. What other threads print in the
    meantime comes a little later, but is not lost.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # closed: nobody reads it
        return lambda: None
    outlet, inlet = os.pipe()
    for end in (outlet, inlet):  # neither a full pipe nor a forked child may block us
        os.set_blocking(end, False)
    os.dup2(inlet, 2)
    os.close(inlet)

    def undo() -> None:
        os.dup2(stderr, 2)
        os.close(stderr)
        try:
            held = os.read(outlet, 1 << 16)
        except BlockingIOError:
            held = b""
        os.close(outlet)
        others = [line for line in held.splitlines(True) if not line.startswith(b"libpng")]
        if others:
            os.write(2, b"".join(others))

    return undo


def _lift_pillow_limit() -> Callable[[], None]:
    from PIL import Image  # noqa: PLC0415

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # ours is checked instead, see limits.py

    def undo() -> None:
        Image.MAX_IMAGE_PIXELS = limit

    return undo


no_warnings = WhileAnyoneReads(_ignore_warnings)
silent_opencv = WhileAnyoneReads(_silence_opencv)
no_libpng_on_stderr = WhileAnyoneReads(_hold_back_stderr)
no_pillow_limit = WhileAnyoneReads(_lift_pillow_limit)
