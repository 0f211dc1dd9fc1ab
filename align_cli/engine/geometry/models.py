"""Motion models: parameters <-> matrix, and the Jacobian as polynomials in x and y.

A model describes a *small* warp ``D(p)`` of the target, in the normalised coordinates of
``align_cli.engine.geometry.coordinates``, with ``D(0)`` the identity. The solver composes such
small warps by multiplying matrices (``W <- W @ inv(D)``), so a model needs no formula for
composition: all five form groups, and the product of two members is a member.

Adding a model means adding one entry to ``MODELS``, and its name where names are kept without numpy
(``options.MODELS_IN_WORDS``) and in the published schema; tests keep the three equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from align_cli.engine.arrays import Matrix, Points, Vector
from align_cli.engine.geometry.coordinates import Size, corners, map_points

MONOMIALS: Final = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
"""Powers (i, j) of x and y with i + j <= 2, in the order of every polynomial's coefficients."""

Polynomial = dict[tuple[int, int], float]


@dataclass(frozen=True)
class MotionModel:
    """One motion model.

    Attributes:
        name: name of the option.
        jacobian_x: (parameters, 6) float64; row k holds the coefficients, in the order of
            ``MONOMIALS``, of d(x of D)/dp_k at p = 0 as a polynomial in x and y.
        jacobian_y: the same for the y coordinate.
        to_matrix: p -> D(p), a (3, 3) matrix in normalised coordinates.
        from_points: least-squares member of the model that maps (n, 2) points to (n, 2) points.
    """

    name: str
    jacobian_x: NDArray[np.float64]
    jacobian_y: NDArray[np.float64]
    to_matrix: Callable[[Vector], Matrix]
    from_points: Callable[[Points, Points], Matrix]

    @property
    def size(self) -> int:
        """Number of parameters (degrees of freedom)."""
        return len(self.jacobian_x)

    @cached_property
    def of_homography(self) -> NDArray[np.float64]:
        """(parameters, 8): the parameters by those of a homography, to first order."""
        whole, own = (
            np.hstack([each.jacobian_x, each.jacobian_y]) for each in (MODELS[LARGEST], self)
        )
        # Rounded, because exact zeros are left out of every sum.
        return np.asarray(np.round(own @ np.linalg.pinv(whole), 9), np.float64)

    @property
    def projective(self) -> bool:
        """Whether parallels need not be preserved, so that points must be divided by w."""
        return self.size == 8


def _table(*rows: Polynomial) -> NDArray[np.float64]:
    return np.array([[row.get(power, 0.0) for power in MONOMIALS] for row in rows])


# The polynomials that occur, by their name in the equations of docs/method.md.
_0: Final[Polynomial] = {}
_1: Final[Polynomial] = {(0, 0): 1.0}
_X: Final[Polynomial] = {(1, 0): 1.0}
_Y: Final[Polynomial] = {(0, 1): 1.0}
_MINUS_Y: Final[Polynomial] = {(0, 1): -1.0}
_MINUS_XX: Final[Polynomial] = {(2, 0): -1.0}
_MINUS_XY: Final[Polynomial] = {(1, 1): -1.0}
_MINUS_YY: Final[Polynomial] = {(0, 2): -1.0}


def _translation(p: Vector) -> Matrix:
    tx, ty = p
    return np.array([[1.0, 0.0, tx], [0.0, 1.0, ty], [0.0, 0.0, 1.0]])


def _rigid(p: Vector) -> Matrix:
    theta, tx, ty = p
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s, tx], [s, c, ty], [0.0, 0.0, 1.0]])


def _similarity(p: Vector) -> Matrix:
    a, b, tx, ty = p
    return np.array([[1.0 + a, -b, tx], [b, 1.0 + a, ty], [0.0, 0.0, 1.0]])


def _affine(p: Vector) -> Matrix:
    return np.array([[1.0 + p[0], p[1], p[2]], [p[3], 1.0 + p[4], p[5]], [0.0, 0.0, 1.0]])


def _homography(p: Vector) -> Matrix:
    matrix = _affine(p[:6])
    matrix[2, :2] = p[6:]
    return matrix


def _translation_from_points(start: Points, end: Points) -> Matrix:
    return _translation((end - start).mean(axis=0))


def _rotation_from_points(start: Points, end: Points, *, scaled: bool) -> Matrix:
    """Procrustes in the plane: as complex numbers, end ~ z * start + t in least squares."""
    a = (start - start.mean(axis=0)) @ [1.0, 1.0j]
    b = (end - end.mean(axis=0)) @ [1.0, 1.0j]
    z = np.vdot(a, b)
    z = z / np.vdot(a, a).real if scaled else z / max(abs(z), np.finfo(np.float64).tiny)
    matrix = np.array([[z.real, -z.imag, 0.0], [z.imag, z.real, 0.0], [0.0, 0.0, 1.0]])
    matrix[:2, 2] = end.mean(axis=0) - matrix[:2, :2] @ start.mean(axis=0)
    return matrix


def _rigid_from_points(start: Points, end: Points) -> Matrix:
    return _rotation_from_points(start, end, scaled=False)


def _similarity_from_points(start: Points, end: Points) -> Matrix:
    return _rotation_from_points(start, end, scaled=True)


def _affine_from_points(start: Points, end: Points) -> Matrix:
    solution = np.linalg.lstsq(np.column_stack([start, np.ones(len(start))]), end, rcond=None)[0]
    return np.vstack([solution.T, [0.0, 0.0, 1.0]])


def _homography_from_points(start: Points, end: Points) -> Matrix:
    """Direct linear transform: x' (g x + h y + 1) = a x + b y + c, and the same for y'."""
    x, y = start.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    rows_x = np.column_stack([x, y, one, zero, zero, zero, -x * end[:, 0], -y * end[:, 0]])
    rows_y = np.column_stack([zero, zero, zero, x, y, one, -x * end[:, 1], -y * end[:, 1]])
    rows = np.vstack([rows_x, rows_y])
    solution = np.linalg.lstsq(rows, np.concatenate([end[:, 0], end[:, 1]]), rcond=None)[0]
    return np.append(solution, 1.0).reshape(3, 3)


MODELS: Final[dict[str, MotionModel]] = {
    model.name: model
    for model in (
        MotionModel(
            "translation",
            _table(_1, _0),
            _table(_0, _1),
            _translation,
            _translation_from_points,
        ),
        MotionModel(
            "rigid",
            _table(_MINUS_Y, _1, _0),
            _table(_X, _0, _1),
            _rigid,
            _rigid_from_points,
        ),
        MotionModel(
            "similarity",
            _table(_X, _MINUS_Y, _1, _0),
            _table(_Y, _X, _0, _1),
            _similarity,
            _similarity_from_points,
        ),
        MotionModel(
            "affine",
            _table(_X, _Y, _1, _0, _0, _0),
            _table(_0, _0, _0, _X, _Y, _1),
            _affine,
            _affine_from_points,
        ),
        MotionModel(
            "homography",
            _table(_X, _Y, _1, _0, _0, _0, _MINUS_XX, _MINUS_XY),
            _table(_0, _0, _0, _X, _Y, _1, _MINUS_XY, _MINUS_YY),
            _homography,
            _homography_from_points,
        ),
    )
}
"""Every motion model by name, from the fewest parameters to the most."""

LARGEST: Final = tuple(MODELS)[-1]
"""The name of the model with the most parameters."""


def contains(whole: MotionModel, part: MotionModel) -> bool:
    """Whether every member of model ``part`` is a member of model ``whole``."""
    rows = np.vstack([whole.of_homography, part.of_homography])
    return _rank(rows.tobytes(), rows.shape[1]) == whole.size


@cache
def _rank(rows: bytes, columns: int) -> int:
    """Rank of a table of ``columns`` columns."""
    return int(np.linalg.matrix_rank(np.frombuffer(rows).reshape(-1, columns)))


def nearest(model: MotionModel, matrix: Matrix, size: Size) -> Matrix:
    """The member of a model nearest to ``matrix``: least squares over the corners of ``size``.

    It is ``matrix`` itself if that is a member.
    """
    points = corners(size)
    return model.from_points(points, map_points(matrix, points))


def about_centre(
    shift_px: tuple[float, float], angle_deg: float, scale: float, source_size: Size
) -> Matrix:
    """The similarity, as ``source_to_target``, with these terms of ``describe``."""
    x, y = ((side - 1.0) / 2.0 for side in source_size)
    angle = np.radians(angle_deg)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    moved_x, moved_y = x + shift_px[0], y + shift_px[1]
    return np.array(
        [[c, -s, moved_x - c * x + s * y], [s, c, moved_y - s * x - c * y], [0.0, 0.0, 1.0]]
    )


def between_centres(angle: float, scale: float, source: Size, target: Size) -> Matrix:
    """The similarity, target -> source, that maps the target's centre to the source's.

    Args:
        angle: radians.
        scale: pixels of the source per pixel of the target.
        source: (width, height) of the source.
        target: the same of the target.
    """
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    target_centre, source_centre = ((np.array(size) - 1.0) / 2.0 for size in (target, source))
    matrix[:2, 2] = source_centre - matrix[:2, :2] @ target_centre
    return matrix


def describe(
    source_to_target: Matrix, model: MotionModel, source_size: Size
) -> dict[str, float | tuple[float, float]]:
    """Shift, angle, scale, shear and perspective of a transform, as far as its model has them.

    The linear part at the centre of the source is split into A = R(angle) [[sx, k], [0, sy]], for
    a homography by its derivative there. Angles are positive from x towards y, which is clockwise
    as seen on a screen.

    Returns:
        ``shift_px``: (x, y) by which the centre of the source moves, in pixels; with the angle
        and the scale, the transform about the image centre. ``shift_at_origin_px``: (x, y) to
        which the source's pixel (0, 0) moves; the same about the origin. Then, where the model
        has them: ``angle_deg``, ``scale`` (square root of the change of area), ``scale_x``,
        ``scale_y``, ``shear`` (k / sy) and ``perspective`` (the last row, in 1/px).
    """
    centre = (np.array(source_size) - 1.0) / 2.0
    moved = map_points(source_to_target, np.array([centre, [0.0, 0.0]]))
    weight = float(source_to_target[2] @ [*centre, 1.0])
    # d(x', y')/d(x, y) of the projective map at the centre, by the quotient rule.
    linear = (source_to_target[:2, :2] - np.outer(moved[0], source_to_target[2, :2])) / weight
    angle = float(np.arctan2(linear[1, 0], linear[0, 0]))
    turned_back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    (scale_x, skew), (_, scale_y) = turned_back @ linear
    terms: dict[str, float | tuple[float, float]] = {
        "shift_px": _pair(moved[0] - centre),
        "shift_at_origin_px": _pair(moved[1]),
    }
    if model.size >= MODELS["rigid"].size:
        terms["angle_deg"] = float(np.degrees(angle))
    if model.size >= MODELS["similarity"].size:
        terms["scale"] = float(np.sqrt(abs(scale_x * scale_y)))
    if model.size >= MODELS["affine"].size:
        terms["scale_x"] = float(scale_x)
        terms["scale_y"] = float(scale_y)
        terms["shear"] = float(skew / scale_y)
    if model.projective:
        terms["perspective"] = _pair(source_to_target[2, :2])
    return terms


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
