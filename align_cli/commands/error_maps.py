"""The error map as a file: a picture or values, on the canvas of the warped image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from align_cli.engine.result.canvas import Canvas
    from align_cli.files.images import Picture

RESIDUAL_SUFFIXES: Final = (".tif", ".tiff", ".npy")
"""Suffixes of error maps that contain the residual itself; all others are images of it."""


def holds_values(path: str) -> bool:
    """Whether an error map is the residual itself, not an image of it."""
    return PurePath(path).suffix.lower() in RESIDUAL_SUFFIXES


def encode_error_map(
    path: str,
    residual: Callable[[], tuple[NDArray[np.float32], NDArray[np.bool_]]],
    canvas: Canvas,
    target: Picture,
    *,
    of_full_scale: bool,
    small: bool,
) -> bytes:
    """The file of an error map, of exactly the canvas's size.

    Args:
        path: its name, which decides the format.
        residual: returns the result of ``align_cli.engine.aligner.residual``.
        canvas: of the warped image.
        target: the target.
        of_full_scale: False if a picture is in shares of the target's range.
        small: whether to compress more.
    """
    import numpy as np  # noqa: PLC0415

    from align_cli.files.images import encode_array, encode_image  # noqa: PLC0415
    from align_cli.report.error_map import in_shares_of_range, render  # noqa: PLC0415

    differences, overlap = residual()
    if holds_values(path):
        differences[~overlap] = np.nan
        return encode_array(path, canvas.placed(differences, np.nan))
    if not of_full_scale:
        differences = in_shares_of_range(differences, target.pixels)
    picture = render(canvas.placed(differences, 0.0), canvas.placed(overlap, fill=False))
    del differences, overlap  # encoding takes as much memory again
    return encode_image(path, picture, small=small)
