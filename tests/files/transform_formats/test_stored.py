"""What is true of every format."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from align_cli.commands.transform_outputs import FORMAT_NAMES, FORMATS_HELP
from align_cli.engine.geometry.models import MODELS
from align_cli.files.errors import UnwritableError
from align_cli.files.schema import transform_schema
from align_cli.files.transforms import FORMATS
from align_cli.transform_files import read_transform
from tests.files.transform_formats.examples import (
    POINTS,
    SOURCE_SIZE,
    TARGET_SIZE,
    transform,
    written,
)


def test_the_registry_is_what_the_help_says() -> None:
    assert set(FORMATS) == set(FORMAT_NAMES)
    for name, each in FORMATS.items():
        line = next(line for line in FORMATS_HELP.splitlines() if line.split()[0] == name)
        assert all(pattern in line.lower() for pattern in each.NAMES)


NAMES = {
    "json": "a.json",
    "opencv": "a.yml",
    "itk": "a.tfm",
    "elastix": "TransformParameters.0.txt",
    "gcp": "a.gcp",
    "text": "a.txt",
}


@pytest.mark.parametrize("name", [*NAMES.values(), "a.xml"])
@pytest.mark.parametrize("model", MODELS)
def test_there_and_back(tmp_path: Path, name: str, model: str) -> None:
    if model == "homography" and name in ("a.tfm", "TransformParameters.0.txt"):
        with pytest.raises(UnwritableError, match="cannot represent the perspective"):
            written(tmp_path, name, model)
        return
    found = read_transform(written(tmp_path, name, model))
    truth = transform(model)
    exact = name in ("a.json", "a.yml", "a.xml", "a.txt")
    if exact:
        assert (found.source_to_target == truth.source_to_target).all()
    np.testing.assert_allclose(found.map_points(POINTS), truth.map_points(POINTS), atol=1e-9)
    if name in ("a.json", "a.yml", "a.xml"):
        assert (found.source_size, found.target_size) == (SOURCE_SIZE, TARGET_SIZE)
        assert (found.target_to_source == truth.target_to_source).all()
    if name == "a.json":
        jsonschema.validate(json.loads((tmp_path / name).read_text()), transform_schema())


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_that_is_named_needs_no_suffix(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "transform", "affine", to=name)
    assert FORMATS[name].recognises(path.read_text())
    np.testing.assert_allclose(
        read_transform(path).map_points(POINTS), transform("affine").map_points(POINTS), atol=1e-9
    )


def test_a_name_that_means_no_format(tmp_path: Path) -> None:
    with pytest.raises(UnwritableError, match=r"matches no transform format.*\*.json.*--to"):
        written(tmp_path, "a.dat", "affine")
