"""A transform between two images: apply it to images and points, invert it, compose it.

An ``Alignment`` also holds how it was estimated; a ``Transform`` may come from any program.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from align_cli.engine.arrays import Image, Matrix, Points, Vector
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import Size, inverse, map_points, plausible, unit
from align_cli.engine.geometry.models import MODELS, describe
from align_cli.engine.geometry.polygons import overlap_polygon
from align_cli.engine.geometry.propagation import position_sigma, uncertainty_of
from align_cli.engine.images.luma import check_kind
from align_cli.engine.numerics.negligible import ROUNDING
from align_cli.engine.records import Uncertainty
from align_cli.engine.result.canvas import Canvas, Rectangle, chosen, inner_rectangle, place_canvas
from align_cli.engine.result.warp import warp_image
from align_cli.engine.result.words import plus_minus, shift, sizes
from align_cli.engine.sampling.bilinear import overlap_mask

_MIRROR: Final = np.diag([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Transform:
    """A mapping of source pixels to target pixels, both ways.

    Attributes:
        source_to_target: (3, 3) float64, maps homogeneous source pixels (x, y, 1) to target
            pixels, last entry 1. Pixel centres are at integers.
        target_to_source: its inverse, scaled in the same way.
        model: name of a motion model that contains it.
        source_size, target_size: (width, height) in pixels; None if unknown.
        covariance: (8, 8) float64 of the first eight entries of ``source_to_target``, row by row;
            None if unknown.

    Example:
        >>> import numpy as np
        >>> from align_cli import Transform
        >>> shift = Transform.from_matrix([[1, 0, 5], [0, 1, -3], [0, 0, 1]])
        >>> shift.map_points([[10, 20]])
        array([[15., 17.]])
        >>> shift.then(shift.inverse())
        <Transform translation: shift (0.000, 0.000) px, ? -> ? px>
        >>> shift.save("shift.tfm")  # ITK, by its name; .json, .yml, .txt and others
        >>> (Transform.load("shift.tfm").source_to_target == shift.source_to_target).all()
        np.True_
    """

    source_to_target: Matrix
    target_to_source: Matrix
    model: str
    source_size: Size | None = None
    target_size: Size | None = None
    covariance: NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        """One line."""
        told = [shift(self.parameters)]
        if (sure := self.uncertainty) is not None:
            told.append(plus_minus(sure.mean_px))
        told.append(sizes(self.source_size, self.target_size))
        return f"<Transform {self.model}: {', '.join(told)}>"

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, accept_doubtful: bool = False, force: bool = False
    ) -> Transform:
        """Read a transform from a file; see ``align_cli.load``."""
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        return handover.load(path, accept_doubtful=accept_doubtful, force=force)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the transform; the name decides the format, as for ``imalign convert``.

        The file is complete or absent.

        Raises:
            UnwritableError: if the name means no format, the format cannot hold the transform, or
                the file cannot be written.
        """
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        handover.save_transform(self, path)

    @classmethod
    def from_matrix(
        cls,
        source_to_target: ArrayLike,
        *,
        target_to_source: ArrayLike | None = None,
        model: str | None = None,
        source_size: Size | None = None,
        target_size: Size | None = None,
        covariance: ArrayLike | None = None,
    ) -> Transform:
        """Make a transform from a matrix, and validate it.

        Args:
            source_to_target: (3, 3), any scale.
            target_to_source: its inverse, if known to the last bit, so that an image is resampled
                exactly as before; None to compute it.
            model: a motion model that contains it; None for the smallest.
            source_size: (width, height).
            target_size: (width, height).
            covariance: see the class.

        Raises:
            ImageError: if the matrix is not finite, is singular, or its horizon crosses the
                source.
        """
        forward = _checked(source_to_target)
        backward = inverse(forward) if target_to_source is None else _checked(target_to_source)
        if source_size is not None and not unfolded(forward, source_size):
            raise ImageError("its horizon crosses the source", role="transform")
        return cls(
            forward,
            backward,
            smallest_model(forward) if model is None else model,
            source_size,
            target_size,
            None if covariance is None else np.asarray(covariance, np.float64),
        )

    @classmethod
    def from_points(
        cls,
        source: Points,
        target: Points,
        *,
        source_size: Size | None = None,
        target_size: Size | None = None,
    ) -> Transform:
        """Fit the transform that maps (n, 2) source points to (n, 2) target points.

        The model follows from the number of points: a translation for one, a similarity for two, an
        affine transform for three, a homography for four or more, by least squares.

        Raises:
            ImageError: if the points do not determine it, such as three on a line.
        """
        free = [model for model in MODELS.values() if model.size <= 2 * len(source)]
        if not free:
            raise ImageError("it has no control points", role="transform")
        # Centred and scaled, or the homography's equations would weigh the far points alone.
        to_unit = [_to_unit(points) for points in (source, target)]
        matrix = free[-1].from_points(
            map_points(to_unit[0], source), map_points(to_unit[1], target)
        )
        with np.errstate(all="ignore"):
            matrix = np.linalg.inv(to_unit[1]) @ matrix @ to_unit[0]
        return cls.from_matrix(matrix, source_size=source_size, target_size=target_size)

    def inverse(self) -> Transform:
        """The inverse transform: source and target are exchanged."""
        covariance = self.covariance
        if covariance is not None:
            back = np.asarray(np.linalg.inv(self.source_to_target), np.float64)  # not scaled
            # d(M^-1) = -M^-1 dM M^-1
            slope = _entries(back, [-back @ unit_entry @ back for unit_entry in _UNIT_ENTRIES])
            covariance = slope @ covariance @ slope.T
        return Transform(
            self.target_to_source,
            self.source_to_target,
            self.model,
            self.target_size,
            self.source_size,
            covariance,
        )

    def then(self, second: Transform) -> Transform:
        """Compose: this transform first, then ``second``.

        The result has a covariance if both have one. Their errors are assumed independent, as for
        alignments of different images. The errors of a transform and its own inverse cancel, and
        those of two alignments of the same image are correlated: the covariance is then too large.

        Raises:
            ImageError: if this one's target and the other's source differ in size.
            TypeError: if ``second`` is no ``Transform``.
        """
        if not isinstance(second, Transform):
            raise TypeError(
                f"expected a Transform, not {type(second).__name__}; an alignment has one as "
                "found.transform, Transform.from_matrix makes one"
            )
        middle = self.target_size, second.source_size
        if None not in middle and middle[0] != middle[1]:
            raise ImageError(
                f"the first maps to an image of {_times(self.target_size)} px, the second maps "
                f"from one of {_times(second.source_size)} px; swap them, or invert one",
                role="transforms",
            )
        first, after = self.source_to_target, second.source_to_target
        product = after @ first
        if product[2, 2] == 0.0:
            raise ImageError("their composition maps pixel (0, 0) to infinity", role="transforms")
        covariance = None
        if self.covariance is not None and second.covariance is not None:
            by_first = _entries(product, [after @ unit_entry for unit_entry in _UNIT_ENTRIES])
            by_second = _entries(product, [unit_entry @ first for unit_entry in _UNIT_ENTRIES])
            covariance = (
                by_first @ self.covariance @ by_first.T
                + by_second @ second.covariance @ by_second.T
            )
        return Transform.from_matrix(
            product,
            target_to_source=self.target_to_source @ second.target_to_source,
            model=max(self.model, second.model, key=list(MODELS).index),
            source_size=self.source_size,
            target_size=second.target_size,
            covariance=covariance,
        )

    def at_sizes(self, source_size: Size, target_size: Size) -> Transform:
        """The same transform with these image sizes.

        Raises:
            ImageError: if its horizon crosses the source.
        """
        if not unfolded(self.source_to_target, source_size):
            raise ImageError("its horizon crosses the source; check its matrix", role="transform")
        return replace(self, source_size=source_size, target_size=target_size)

    def rescaled(self, source_size: Size, target_size: Size) -> Transform:
        """The same transform between resized copies of the images.

        Resizing keeps the edges of an image: a pixel x of a copy of s times the size lies at
        (x + 0.5) / s - 0.5 of the original, along each axis by its own s.

        Raises:
            ImageError: if its sizes are unknown, or its horizon crosses the source.
        """
        if self.source_size is None or self.target_size is None:
            raise ImageError(
                "the sizes of its images are unknown; use a transform file that contains them, "
                "such as a JSON written by imalign",
                role="transform",
            )
        to_source = np.linalg.inv(_resizing(self.source_size, source_size))
        to_target = _resizing(self.target_size, target_size)
        matrix = to_target @ self.source_to_target @ to_source
        covariance = self.covariance
        if covariance is not None:
            slope = _entries(matrix, [to_target @ entry @ to_source for entry in _UNIT_ENTRIES])
            covariance = slope @ covariance @ slope.T
        # Lengths that change differently along x and y leave a rotation no rotation.
        return Transform.from_matrix(
            matrix, source_size=source_size, target_size=target_size, covariance=covariance
        )

    def onto(self, canvas: Canvas) -> Transform:
        """The transform to the pixels of a canvas instead of the target's."""
        x, y = canvas.offset
        shift = Transform.from_matrix(
            [[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]],
            target_size=canvas.size,
            covariance=np.zeros((8, 8)),
        )
        return self.then(shift)

    @property
    def parameters(self) -> dict[str, float | tuple[float, float]]:
        """Shift, angle, scale, shear and perspective.

        About the centre of the source, or about (0, 0) if its size is unknown; see
        ``align_cli.engine.geometry.models.describe``.
        """
        return describe(self.source_to_target, MODELS[self.model], self.source_size or (1, 1))

    @property
    def uncertainty(self) -> Uncertainty | None:
        """Covariance and standard deviations; None if its covariance or a size is unknown."""
        if self.covariance is None or self.source_size is None or self.target_size is None:
            return None
        return uncertainty_of(
            self.covariance,
            self.source_to_target,
            source_size=self.source_size,
            target_size=self.target_size,
        )

    @property
    def overlap_polygon(self) -> Points:
        """(n, 2) corners, in target pixels, of the part of the target that the source covers.

        Raises:
            ImageError: if the size of an image is unknown.
        """
        source_size, target_size = self._sizes()
        return overlap_polygon(self.target_to_source, target_size, source_size)

    @property
    def inner_rectangle(self) -> Rectangle | None:
        """The largest rectangle of target pixels that the source covers: x, y, width, height.

        Raises:
            ImageError: if the size of an image is unknown.
        """
        source_size, target_size = self._sizes()
        return inner_rectangle(self.target_to_source, target_size, source_size)

    def summary(self) -> str:
        """What ``imalign show`` says of it: its model, sizes, motion and matrix, in a few lines."""
        from align_cli import handover  # noqa: PLC0415  (the one way up)

        return handover.transform_summary(self)

    def _sizes(self) -> tuple[Size, Size]:
        if self.source_size is None or self.target_size is None:
            raise ImageError("the sizes of its source and target are unknown", role="transform")
        return self.source_size, self.target_size

    def map_points(self, points: ArrayLike, inverse: bool = False) -> Points:
        """Target points (n, 2) of source points (n, 2); NaN beyond the horizon.

        With ``inverse`` source points of target points.

        Raises:
            ValueError: if the points have another shape, or are no numbers.
        """
        matrix = self.target_to_source if inverse else self.source_to_target
        points = _as_points(points)
        mapped = map_points(matrix, points)
        mapped[beyond_horizon(matrix, points)] = np.nan
        return mapped

    def sigma_px(self, points: Points) -> Vector | None:
        """Standard deviation (n,) of mapped points, in target pixels.

        The square root of the sum of the variances along x and y; None without a covariance.
        """
        if self.covariance is None:
            return None
        points = _as_points(points)
        return position_sigma(self.covariance, self.source_to_target, points)

    def canvas(self, name: str, *, most_pixels: float = np.inf) -> Canvas:
        """The extent of an output in target pixels; both sizes must be known.

        Args:
            name: one of ``align_cli.engine.result.canvas.CANVASES``.
            most_pixels: limit of its number of pixels.

        Raises:
            ImageError: if it would be too large or have no pixel, or a size is unknown.
        """
        source_size, target_size = self._sizes()
        return place_canvas(
            name,
            self.source_to_target,
            self.target_to_source,
            source_size=source_size,
            target_size=target_size,
            most_pixels=most_pixels,
        )

    def warp(
        self,
        image: Image,
        *,
        fill: float = 0.0,
        interpolation: str = "linear",
        canvas: Canvas | None = None,
    ) -> Image:
        """Resample ``image``, which lies on the source's grid, onto the target's grid.

        As ``align_cli.engine.result.alignment.Alignment.warp``, and the same to the last bit.
        An unknown size is taken from the image.

        Raises:
            ImageError: if the image is not of the source's size, or the horizon
                crosses a grid.
        """
        check_kind(image, "image")
        size = int(image.shape[1]), int(image.shape[0])
        source_size, target_size = self.source_size or size, self.target_size or size
        placed = self.at_sizes(source_size, target_size)
        canvas = chosen(canvas, target_size)
        return warp_image(
            image,
            canvas.warp(placed.target_to_source),
            target_size=canvas.size,
            source_size=source_size,
            fill=fill,
            interpolation=interpolation,
        )

    def valid_mask(self, canvas: Canvas) -> NDArray[np.bool_]:
        """(height, width) bool: which pixels of a canvas the source reaches."""
        if self.source_size is None:
            raise ImageError("the size of its source is unknown", role="transform")
        return overlap_mask(canvas.warp(self.target_to_source), canvas.size, self.source_size)


def smallest_model(matrix: Matrix) -> str:
    """The name of the motion model with the fewest parameters that contains the matrix."""
    (a, b, _), (c, d, _), last = matrix
    size = ROUNDING * float(np.abs(matrix[:2, :2]).max())
    if last[0] != 0.0 or last[1] != 0.0:
        return "homography"
    if abs(a - d) > size or abs(b + c) > size:
        return "affine"
    if abs(np.hypot(a, c) - 1.0) > ROUNDING:
        return "similarity"
    return "rigid" if abs(c) > size or a < 0.0 else "translation"


def unfolded(matrix: Matrix, size: Size) -> bool:
    """Whether the horizon does not cross an image of ``size``; mirroring is allowed."""
    mirrored = np.linalg.det(matrix) < 0.0
    return plausible(_MIRROR @ matrix if mirrored else matrix, size)


def beyond_horizon(matrix: Matrix, points: Points) -> NDArray[np.bool_]:
    """(n,) bool: the points (n, 2) at or beyond the horizon of a matrix with last entry 1."""
    return np.asarray(points @ matrix[2, :2] + matrix[2, 2] <= 0.0)


def _checked(matrix: ArrayLike) -> Matrix:
    if isinstance(matrix, str | os.PathLike):
        raise ImageError(
            "the name of a file is no matrix; align_cli.load reads it", role="transform"
        )
    try:
        entries = np.asarray(matrix, np.float64)
    except (TypeError, ValueError):
        entries = np.empty(0)  # of other objects, or ragged
    if entries.shape != (3, 3) or not np.isfinite(entries).all():
        raise ImageError("it is not a (3, 3) matrix of finite numbers", role="transform")
    if entries[2, 2] == 0.0:
        raise ImageError("the last entry of its matrix is 0", role="transform")
    entries = unit(entries)
    if not np.isfinite(entries).all() or _singular(entries):
        raise ImageError("its matrix is singular", role="transform")
    return entries


def _as_points(points: ArrayLike) -> Points:
    """(n, 2) float64 of points.

    Raises:
        ValueError: if they have another shape, or are no numbers.
    """
    expected = "points must be numbers of shape (n, 2), the x and y of each"
    try:
        given = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected} ({error})") from error
    if given.size and given.shape[-1:] != (2,):
        raise ValueError(f"{expected}, not of shape {given.shape}")
    return given.reshape(-1, 2)


def _singular(matrix: Matrix) -> bool:
    """Whether the determinant is zero relative to its six products, in any units."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    products = (a * e * i, b * f * g, c * d * h, -c * e * g, -b * d * i, -a * f * h)
    size = sum(map(abs, products))
    return not np.isfinite(size) or abs(sum(products)) <= ROUNDING * size


def _to_unit(points: Points) -> Matrix:
    """The matrix that centres points and scales their largest coordinate to 1."""
    centre = points.mean(axis=0)
    spread = float(np.abs(points - centre).max()) or 1.0
    return np.array(
        [
            [1.0 / spread, 0.0, -centre[0] / spread],
            [0.0, 1.0 / spread, -centre[1] / spread],
            [0, 0, 1],
        ]
    )


def _resizing(size: Size, other: Size) -> Matrix:
    """Pixels of an image -> pixels of its copy of another size."""
    matrix = np.eye(3)
    for axis in (0, 1):
        scale = other[axis] / size[axis]
        matrix[axis, axis], matrix[axis, 2] = scale, 0.5 * (scale - 1.0)
    return matrix


_UNIT_ENTRIES: Final = [np.eye(9)[k].reshape(3, 3) for k in range(8)]


def _entries(matrix: Matrix, derivatives: list[Matrix]) -> NDArray[np.float64]:
    """(8, n) derivatives of the first eight entries of a matrix scaled to a last entry of 1.

    ``derivatives`` are those of the unscaled matrix.
    """
    scaled = unit(matrix)
    rows = [(slope - scaled * slope[2, 2]) / matrix[2, 2] for slope in derivatives]
    return np.array([row.ravel()[:8] for row in rows]).T


def _times(size: Size | None) -> str:
    return f"{size[0]}x{size[1]}" if size else "unknown size"
