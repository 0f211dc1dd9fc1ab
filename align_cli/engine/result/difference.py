"""The difference between two transforms: corner error and end-point error."""

from __future__ import annotations

from dataclasses import dataclass

from align_cli.engine.arrays import Matrix
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size, corner_error, endpoint_error
from align_cli.engine.numerics.strips import LARGE_STRIP_PIXELS
from align_cli.engine.result.transform import Transform, unfolded
from align_cli.engine.sampling.bilinear import offset_origin


@dataclass(frozen=True)
class Difference:
    """The difference between two transforms, in pixels.

    Attributes:
        corner_error_px: mean distance, in the target, of the four source corners.
        epe_mean_px, epe_max_px: end-point error, the distance in the source between the points that
            they map to a target pixel; mean and maximum over all pixels of the target.
    """

    corner_error_px: float
    epe_mean_px: float
    epe_max_px: float


def difference(
    first: Transform, second: Transform, *, source_size: Size, target_size: Size
) -> Difference:
    """Compare two transforms between images of these sizes.

    Raises:
        ImageError: if the horizon of one crosses the source or the target.
    """
    ways = [
        (transform.source_to_target, transform.target_to_source) for transform in (first, second)
    ]
    for forward, backward in ways:
        if not (unfolded(forward, source_size) and unfolded(backward, target_size)):
            raise ImageError("the horizon of a transform crosses its image", role="transforms")
    mean, largest = _endpoint_errors(ways[0][1], ways[1][1], target_size)
    return Difference(corner_error(ways[0][0], ways[1][0], source_size), mean, largest)


def _endpoint_errors(first: Matrix, second: Matrix, size: Size) -> tuple[float, float]:
    """Mean and largest end-point error over an image, in strips of rows."""
    width, height = size
    rows = max(1, LARGE_STRIP_PIXELS // width)
    total = largest = 0.0
    for top in range(0, height, rows):
        window = width, min(rows, height - top)
        errors = endpoint_error(
            offset_origin(first, 0.0, top), offset_origin(second, 0.0, top), window
        )
        total += float(errors.sum())
        largest = max(largest, float(errors.max()))
    return total / (width * height), largest
