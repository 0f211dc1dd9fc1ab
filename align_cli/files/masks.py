"""Masks that people paint: pictures whose non-zero pixels are the ones to use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from align_cli.files.errors import PathLike, UnreadableError
from align_cli.files.images import read_image
from align_cli.files.limits import DEFAULT_MAX_MEGAPIXELS


def read_mask(
    path: PathLike, *, max_megapixels: float = DEFAULT_MAX_MEGAPIXELS
) -> npt.NDArray[np.bool_]:
    """Read a picture as a mask, (H, W): True where any colour is not zero.

    Where the picture is transparent, or not a number, the mask is False.

    Raises:
        UnreadableError: as ``read_image`` does.
    """
    try:
        pixels = np.atleast_3d(read_image(path, max_megapixels=max_megapixels).pixels)
    except UnreadableError as error:
        if "--page" not in error.advice:
            raise
        advice = "save the page to use as a separate file"  # a mask has no such option
        raise UnreadableError(path, error.cause, advice) from error
    marked = (pixels != 0) & np.isfinite(pixels)
    if pixels.shape[2] in (2, 4):
        return np.asarray(marked[..., :-1].any(axis=2) & marked[..., -1])
    return np.asarray(marked.any(axis=2))
