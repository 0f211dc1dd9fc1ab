"""The transform that a file contains, and what a format is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from align_cli.files.errors import ContentError

Matrix: TypeAlias = "npt.NDArray[np.float64]"
Size: TypeAlias = "tuple[int, int]"

ROUNDING: Final = 1e-12
"""Share of the largest of some numbers in double precision that is rounding."""


@dataclass(frozen=True, eq=False)
class StoredTransform:
    """The transform that a file contains; what is not in the file is None.

    Attributes:
        source_to_target: (3, 3) float64, maps homogeneous source pixels to target pixels.
        target_to_source: its inverse.
        pairs: (n, 4) float64: x and y in the source, x and y in the target, of n points, where the
            file holds these instead of a matrix.
        model: name of the motion model.
        source_size, target_size: (width, height) in pixels.
        covariance: (8, 8) float64 of the first eight entries of ``source_to_target``.
        failure: why the alignment that the file describes cannot be used; None if it can.
        doubt: why it is doubtful; None if it is not. It was accepted if there is no ``failure``.
        facts: more that only JSON holds: parameters, uncertainty.
    """

    source_to_target: Matrix | None = None
    target_to_source: Matrix | None = None
    pairs: npt.NDArray[np.float64] | None = None
    model: str | None = None
    source_size: Size | None = None
    target_size: Size | None = None
    covariance: npt.NDArray[np.float64] | None = None
    failure: str | None = None
    doubt: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class TransformFormat(Protocol):
    """A file format of transforms: what its module has."""

    @property
    def NAMES(self) -> tuple[str, ...]:  # noqa: N802
        """Patterns of file names, in lower case, that mean this format when written."""

    def recognises(self, text: str, /) -> bool:
        """Tell whether a text is of this format."""

    def parse(self, text: str, /) -> StoredTransform:
        """Return the transform that a text contains, or raise ``ContentError``."""

    def written(self, stored: StoredTransform, suffix: str, /) -> str:
        """Return the text for a transform of which both matrices are known.

        ``suffix`` is that of the file that is written, in lower case.
        """


def both(stored: StoredTransform) -> tuple[Matrix, Matrix]:
    """Return ``source_to_target`` and ``target_to_source`` of a transform that is to be written.

    Raises:
        ValueError: if one is missing.
    """
    if stored.source_to_target is None or stored.target_to_source is None:
        raise ValueError("a transform that is written needs both matrices")
    return stored.source_to_target, stored.target_to_source


def affine_rows(matrix: Matrix, kind: str) -> Matrix:
    """Return the first two rows of a matrix, for a format without perspective.

    Raises:
        ContentError: if the last row is not 0 0 1.
    """
    if matrix[2, 0] or matrix[2, 1]:
        raise ContentError(
            f"{kind} cannot represent the perspective of this transform",
            "choose another format, or align with -m affine",
        )
    return matrix[:2]
