"""Ground control points as gdal_translate takes them: ``-gcp pixel line easting northing``.

GDAL counts pixels from the outer corner of the first one, so its pixel centres end in .5. The
target is a raster with the geotransform (0, 1, 0, 0, 0, -1): easting is x + 0.5, northing, which
runs up, -(y + 0.5).
"""

from __future__ import annotations

import re

import numpy as np

from align_cli.files.errors import ContentError
from align_cli.files.transform_formats.stored import Size, StoredTransform, both

NAMES = ("*.gcp",)
_OPTION = "-gcp"
_COMMENT = re.compile(r"#.*")
_HALF = 0.5
_ANY_SIZE: Size = (1001, 1001)
"""Where the points lie if the size of the source is not known."""


def recognises(text: str) -> bool:
    """Tell whether a text is of this format."""
    return _COMMENT.sub("", text).split()[:1] == [_OPTION]


def parse(text: str) -> StoredTransform:
    """Return the transform that a text contains."""
    rows = []
    for number, point in enumerate(_COMMENT.sub("", text).split(_OPTION)[1:], start=1):
        try:
            pixel, line, easting, northing = (float(word) for word in point.split()[:4])
        except ValueError as error:
            raise ContentError(
                f"control point {number} is not one", f"write {_OPTION} pixel line easting northing"
            ) from error
        rows.append([pixel - _HALF, line - _HALF, easting - _HALF, -northing - _HALF])
    pairs = np.array(rows, np.float64)
    if not np.isfinite(pairs).all():
        raise ContentError("a control point is not finite", "check its coordinates")
    return StoredTransform(pairs=pairs)


def written(stored: StoredTransform, suffix: str) -> str:
    """Return the text of a transform."""
    right, bottom = (side - 1.0 for side in stored.source_size or _ANY_SIZE)
    matrix = both(stored)[0]
    lines = []
    for x, y in ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)):
        easting, northing, w = matrix @ [x, y, 1.0]
        point = (x + _HALF, y + _HALF, easting / w + _HALF, -(northing / w + _HALF))
        lines.append(f"{_OPTION} {' '.join(repr(float(number)) for number in point)}\n")
    return "".join(lines)
