"""How to get a result again: inputs with their digests, and versions."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from align_cli.files.errors import printable
from align_cli.native.library import level
from align_cli.report.page.view import Input, Provenance, Row
from align_cli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from align_cli.files.images import Picture

CHUNK: Final = 1 << 20
"""Bytes of a file that are read at once for its digest."""


def provenance(inputs: Sequence[Input], command: Sequence[str] = ()) -> Provenance:
    """The section; ``command`` is the line that makes the same again, empty where there is none.

    Its words are as a shell reads them.
    """
    versions = {
        "imalign": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        "native core": level(),
    }
    return Provenance(
        title="How to get this again",
        command=tuple(command),
        inputs=tuple(inputs),
        versions=tuple(Row(name, version) for name, version in versions.items()),
    )


def image_file(role: str, image: Picture) -> Input:
    """An image that was read from a file."""
    return Input(role, printable(image.path), kind(image.pixels), digest(image.path))


def other_file(role: str, path: str) -> Input:
    """A file that holds no image."""
    return Input(role, printable(path), "", digest(path))


def array(role: str, pixels: NDArray[Any]) -> Input:
    """An image that was given as an array; its digest is that of the values, row by row."""
    found = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    return Input(role, "array", kind(pixels), found)


def kind(pixels: NDArray[Any]) -> str:
    """What an image consists of, in words."""
    height, width = pixels.shape[:2]
    count = 1 if pixels.ndim == 2 else pixels.shape[2]
    channels = "1 channel" if count == 1 else f"{count} channels"
    return f"{width} x {height}, {channels}, {pixels.dtype.name}"


def digest(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal digits; of a pipe, which can be read once, none."""
    if not Path(path).is_file():
        return "not a file"
    found = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while part := file.read(CHUNK):
                found.update(part)
    except OSError:
        return "could not be read again"
    return found.hexdigest()
