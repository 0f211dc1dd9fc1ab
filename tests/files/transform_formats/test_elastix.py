"""transformix maps the same points, where it is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)

from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.result.transform import Transform
from align_cli.files.errors import UnreadableError, UnwritableError
from align_cli.transform_files import read_transform, transform_text
from tests.files.transform_formats.examples import (
    CENTRE,
    POINTS,
    TARGET_SIZE,
    itk_maps,
    transform,
    written,
)


@pytest.fixture(scope="session")
def itk() -> None:
    reason = "itk-elastix is not installed: pip install -e '.[bench]' (1 GB, so not for every test)"
    if importlib.util.find_spec("itk") is None:
        pytest.skip(reason)


TRANSFORMIX = """
import sys, itk, numpy
image = itk.image_from_array(numpy.zeros((120, 160), "float32"))
for folder in sys.argv[1:]:
    parameters = itk.ParameterObject.New()
    parameters.ReadParameterFile(folder + "/TransformParameters.0.txt")
    itk.transformix_filter(image, parameters, output_directory=folder,
                           fixed_point_set_file_name=folder + "/points.txt")
"""


@pytest.mark.usefixtures("itk")
def test_transformix_maps_target_points_to_the_source(tmp_path: Path) -> None:
    listed = "\n".join(f"{x} {y}" for x, y in POINTS)
    models = ("translation", "rigid", "similarity", "affine")
    for model in models:
        (tmp_path / model).mkdir()
        written(tmp_path / model, "TransformParameters.0.txt", model)
        (tmp_path / model / "points.txt").write_text(f"point\n{len(POINTS)}\n{listed}\n")
    # In a process of its own: its libraries and SimpleITK's do not like each other.
    subprocess.run(
        [sys.executable, "-c", TRANSFORMIX, *(tmp_path / model for model in models)],
        check=True,
        capture_output=True,
    )
    for model in models:
        lines = (tmp_path / model / "outputpoints.txt").read_text().splitlines()
        found = [line.split("OutputPoint = [")[1].split("]")[0].split() for line in lines if line]
        expected = map_points(transform(model).target_to_source, POINTS)
        np.testing.assert_allclose(np.array(found, float), expected, atol=2e-6)  # six digits


BY_ELASTIX = """(Transform "{name}")
(NumberOfParameters {count})
(TransformParameters {parameters})
(InitialTransformParameterFileName "{first}") // of elastix 5.2
(Size 150 130)
(Spacing {spacing} 1.0000000000)
(CenterOfRotationPoint 70.0 -20.0)
"""


def test_what_elastix_writes_is_read(tmp_path: Path) -> None:
    text = BY_ELASTIX.format(
        name="EulerTransform",
        count=3,
        parameters="0.7 3.0 1.0",
        first="NoInitialTransform",
        spacing=1,
    )
    (tmp_path / "t.txt").write_text(text)
    found = read_transform(tmp_path / "t.txt")
    # The same class with the same parameters in ITK.
    other = sitk.Euler2DTransform(CENTRE, 0.7, (3.0, 1.0))
    np.testing.assert_allclose(
        map_points(found.target_to_source, POINTS), itk_maps(other, POINTS), atol=1e-9
    )
    assert found.target_size == TARGET_SIZE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "BSplineTransform"}, "contains a BSplineTransform, which is not supported"),
        ({"parameters": "0.7 3.0"}, "has 2 parameters instead of 3"),
        ({"parameters": "0.7 3.0 x"}, "are not numbers"),
        ({"first": "TransformParameters.0.txt"}, "imalign compose"),
        ({"spacing": 0.5}, "in physical units"),
    ],
)
def test_what_of_elastix_is_refused(tmp_path: Path, changes: dict, words: str) -> None:
    fields = {
        "name": "EulerTransform",
        "count": 3,
        "parameters": "0.7 3.0 1.0",
        "first": "NoInitialTransform",
        "spacing": 1,
    }
    (tmp_path / "t.txt").write_text(BY_ELASTIX.format(**{**fields, **changes}))
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "t.txt")


def test_elastix_needs_a_size(tmp_path: Path) -> None:
    with pytest.raises(UnwritableError, match="give --size"):
        transform_text("-", Transform.from_matrix(np.eye(3)), "elastix")
