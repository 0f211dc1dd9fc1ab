"""Transforms as ITK and elastix parametrise them: both map target (fixed) points to the source.

x -> A (x - c) + c + t, with the centre c a fixed parameter. Pixels are ITK's physical points where
the spacing is 1 and the origin 0, which is so for pictures without physical units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from align_cli.files.errors import ContentError
from align_cli.files.transform_formats.stored import ROUNDING, Matrix


@dataclass(frozen=True)
class Parametrisation:
    """One way to write a transform of the plane as a list of numbers.

    Attributes:
        itk: the name of its class in ITK, without the ending "Transform".
        elastix: the same in elastix.
        count: the number of parameters.
        linear: parameters -> (2, 2); the last two are always the translation.
        parameters: the inverse: (2, 2) -> all parameters but the translation.
    """

    itk: str
    elastix: str
    count: int
    linear: Callable[[Sequence[float]], Matrix]
    parameters: Callable[[Matrix], list[float]]


def _rotation(angle: float, scale: float = 1.0) -> Matrix:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _angle(linear: Matrix) -> float:
    return float(np.arctan2(linear[1, 0], linear[0, 0]))


PARAMETRISATIONS = (
    Parametrisation("Translation", "Translation", 2, lambda p: np.eye(2), lambda a: []),
    Parametrisation("Euler2D", "Euler", 3, lambda p: _rotation(p[0]), lambda a: [_angle(a)]),
    Parametrisation(
        "Similarity2D",
        "Similarity",
        4,
        lambda p: _rotation(p[1], p[0]),
        lambda a: [float(np.hypot(a[0, 0], a[1, 0])), _angle(a)],
    ),
    Parametrisation(
        "Affine",
        "Affine",
        6,
        lambda p: np.array(p[:4], np.float64).reshape(2, 2),
        lambda a: [float(entry) for entry in a.ravel()],
    ),
)
"""From the fewest parameters to the most."""


def unsupported(name: str, known: Iterable[str]) -> ContentError:
    """Return the error for a transform of another class."""
    return ContentError(
        f"contains a {name}, which is not supported",
        f"use one of these, in 2-D: {', '.join(known)}",
    )


def numbers(words: Iterable[str], name: str) -> list[float]:
    """Return the numbers that a file gives under a name."""
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise ContentError(f"its {name} are not numbers", "write the file again") from error


def matrix_of(
    way: Parametrisation, name: str, parameters: Sequence[float], centre: Sequence[float]
) -> Matrix:
    """Return the (3, 3) matrix of the parameters of the class ``name`` about a centre.

    That is (0, 0) where it is empty.

    Raises:
        ContentError: for another number of parameters.
    """
    if len(parameters) != way.count or len(centre) not in (0, 2):
        raise ContentError(
            f"its {name} has {len(parameters)} parameters instead of {way.count}",
            "check that the file is complete",
        )
    centre = centre or (0.0, 0.0)
    linear = way.linear(parameters)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.asarray(parameters[-2:]) + centre - linear @ centre
    return matrix


def parameters_of(rows: Matrix) -> tuple[Parametrisation, list[float]]:
    """Return the shortest parametrisation that holds (2, 3) rows to rounding, about (0, 0)."""
    linear, shift = rows[:, :2], [float(entry) + 0.0 for entry in rows[:, 2]]
    for way in PARAMETRISATIONS:
        parameters = way.parameters(linear)
        if np.abs(way.linear([*parameters, 0.0, 0.0]) - linear).max() <= ROUNDING:
            break
    return way, [*parameters, *shift]
