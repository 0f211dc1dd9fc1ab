"""Ground control points as gdal_translate takes them: ``-gcp pixel line easting northing``.

GDAL counts pixels from the outer corner of the first one, so its pixel centres end in .5. The
target is a raster with the geotransform (0, 1, 0, 0, 0, -1): easting is x + 0.5, northing, which
runs up, -(y + 0.5).
"""

from __future__ import annotations

import numpy as np

from align_cli.files.errors import PathLike, UnreadableError
from align_cli.files.transform_formats.stored import (
    Size,
    StoredTransform,
    TransformFormat,
    both,
)

_OPTION = "-gcp"
_HALF = 0.5
_ANY_SIZE: Size = (1001, 1001)
"""Where the points lie if the size of the source is not known."""


def _lines(text: str) -> list[tuple[int, str]]:
    numbered = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in numbered if line.partition("#")[0].strip()]


def _recognises(text: str) -> bool:
    lines = _lines(text)
    return bool(lines) and lines[0][1].split()[0] == _OPTION


def _parse(path: PathLike, text: str) -> StoredTransform:
    rows = []
    for number, line in _lines(text):
        for point in line.partition("#")[0].split(_OPTION)[1:]:
            try:
                pixel, row, easting, northing = (float(word) for word in point.split()[:4])
            except ValueError as error:
                raise UnreadableError(
                    path,
                    f"line {number} is not a control point",
                    f"write {_OPTION} pixel line easting northing",
                ) from error
            rows.append([pixel - _HALF, row - _HALF, easting - _HALF, -northing - _HALF])
    pairs = np.array(rows, np.float64).reshape(-1, 4)
    if not np.isfinite(pairs).all():
        raise UnreadableError(path, "a control point is not finite", "check its coordinates")
    return StoredTransform(pairs=pairs)


def _text(path: PathLike, stored: StoredTransform) -> str:
    right, bottom = (side - 1.0 for side in stored.source_size or _ANY_SIZE)
    matrix = both(stored)[0]
    lines = []
    for x, y in ((0.0, 0.0), (right, 0.0), (right, bottom), (0.0, bottom)):
        easting, northing, w = matrix @ [x, y, 1.0]
        point = (x + _HALF, y + _HALF, easting / w + _HALF, -(northing / w + _HALF))
        lines.append(f"{_OPTION} {' '.join(repr(float(number)) for number in point)}\n")
    return "".join(lines)


GCP = TransformFormat(
    name="gcp",
    summary="control points for gdal_translate --optfile",
    names=("*.gcp",),
    recognises=_recognises,
    parse=_parse,
    text=_text,
)
