"""The shortest parametrisation that holds a transform, and back."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.files.errors import ContentError
from align_cli.files.transform_formats.parametric import matrix_of, numbers, parameters_of
from tests.files.transform_formats.examples import transform

KINDS = {
    "translation": "Translation",
    "rigid": "Euler2D",
    "similarity": "Similarity2D",
    "affine": "Affine",
}


@pytest.mark.parametrize("model", KINDS)
def test_there_and_back(model: str) -> None:
    matrix = transform(model).source_to_target
    way, parameters = parameters_of(matrix[:2])
    assert way.itk == KINDS[model]
    np.testing.assert_allclose(matrix_of(way, "any", parameters, []), matrix, atol=1e-12)


@pytest.mark.parametrize("model", KINDS)
def test_a_centre_moves_what_it_is_the_centre_of(model: str) -> None:
    matrix = transform(model).source_to_target
    way, parameters = parameters_of(matrix[:2])
    moved = np.array([[1.0, 0.0, 7.0], [0.0, 1.0, -2.0], [0.0, 0.0, 1.0]])
    expected = moved @ matrix @ np.linalg.inv(moved)
    np.testing.assert_allclose(matrix_of(way, "any", parameters, [7.0, -2.0]), expected, atol=1e-12)


def test_what_is_wrong_is_said() -> None:
    way, parameters = parameters_of(np.eye(3)[:2])
    with pytest.raises(ContentError, match="its Any has 3 parameters instead of 2"):
        matrix_of(way, "Any", [*parameters, 1.0], [])
    with pytest.raises(ContentError, match="its Any has 2 parameters instead of 2"):
        matrix_of(way, "Any", parameters, [1.0])
    with pytest.raises(ContentError, match="its Size are not numbers"):
        numbers(["1", "x"], "Size")
