"""Every format, proved by the program that it belongs to: that one maps the same points."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
import rasterio.control
import rasterio.transform
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)

from align_cli.commands.transform_files import read_transform, transform_text
from align_cli.commands.transform_outputs import FORMAT_NAMES, FORMATS_HELP
from align_cli.engine.geometry.coordinates import map_points
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.result.transform import Transform
from align_cli.files.errors import UnreadableError, UnwritableError
from align_cli.files.schema import transform_schema
from align_cli.files.transforms import FORMATS

SOURCE_SIZE, TARGET_SIZE = (160, 120), (150, 130)
POINTS = np.array([[0.0, 0.0], [159.0, 0.0], [12.25, 99.5], [80.0, 60.0], [-7.0, 130.0]])


def transform(model: str) -> Transform:
    p = {
        "translation": [5.25, -3.5],
        "rigid": [0.3, 5.25, -3.5],
        "similarity": [0.1, 0.2, 5.25, -3.5],
        "affine": [0.1, -0.2, 5.25, 0.15, -0.05, -3.5],
        "homography": [0.1, -0.2, 5.25, 0.15, -0.05, -3.5, 2e-4, -3e-4],
    }[model]
    return Transform.from_matrix(
        MODELS[model].to_matrix(np.array(p)), source_size=SOURCE_SIZE, target_size=TARGET_SIZE
    )


def written(folder: Path, name: str, model: str, to: str | None = None) -> Path:
    path = folder / name
    path.write_text(transform_text(path, transform(model), to))
    return path


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


# ITK


def itk_maps(other: sitk.Transform, points: np.ndarray) -> np.ndarray:
    return np.array([other.TransformPoint(point) for point in points.tolist()])


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_simpleitk_maps_target_points_to_the_source(tmp_path: Path, model: str) -> None:
    other = sitk.ReadTransform(str(written(tmp_path, "a.tfm", model)))
    expected = map_points(transform(model).target_to_source, POINTS)
    np.testing.assert_allclose(itk_maps(other, POINTS), expected, atol=1e-9)
    kinds = {"rigid": "Euler2DTransform", "similarity": "Similarity2DTransform"}
    assert other.GetName() == kinds.get(model, f"{model.capitalize()}Transform")


CENTRE = (70.0, -20.0)


def composite() -> sitk.Transform:
    both = sitk.CompositeTransform(2)
    both.AddTransform(sitk.Euler2DTransform(CENTRE, 0.4, (3.0, 1.0)))
    both.AddTransform(sitk.AffineTransform([1.1, 0.2, -0.1, 0.9], (5.0, -2.0), CENTRE))
    both.AddTransform(sitk.Transform(2, sitk.sitkIdentity))
    return both


@pytest.mark.parametrize(
    "other",
    [
        sitk.TranslationTransform(2, (4.5, -2.25)),
        sitk.Euler2DTransform(CENTRE, 0.7, (3.0, 1.0)),
        sitk.Similarity2DTransform(1.3, -0.2, (3.0, 1.0), CENTRE),
        sitk.AffineTransform([1.1, 0.2, -0.1, 0.9], (5.0, -2.0), CENTRE),
        composite(),
    ],
    ids=lambda other: other.GetName(),
)
def test_what_simpleitk_writes_is_read(tmp_path: Path, other: sitk.Transform) -> None:
    sitk.WriteTransform(other, str(tmp_path / "b.tfm"))
    found = read_transform(tmp_path / "b.tfm")
    np.testing.assert_allclose(
        map_points(found.target_to_source, POINTS), itk_maps(other, POINTS), atol=1e-9
    )


def test_simpleitk_resamples_to_the_same_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(size=SOURCE_SIZE[::-1])
    known = transform("affine")
    other = sitk.ReadTransform(str(written(tmp_path, "a.tfm", "affine")))
    resampled = sitk.Resample(
        sitk.GetImageFromArray(image), TARGET_SIZE, other, sitk.sitkLinear, defaultPixelValue=-1.0
    )
    warped = known.warp(image, fill=-1.0)
    both = (sitk.GetArrayFromImage(resampled) >= 0) & (warped >= 0)
    assert both.mean() > 0.5
    np.testing.assert_allclose(sitk.GetArrayFromImage(resampled)[both], warped[both], atol=2e-5)


# elastix


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


# OpenCV


@pytest.mark.parametrize("name", ["a.yml", "a.xml"])
def test_opencv_maps_the_same_points(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, "homography")
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    matrix = storage.getNode("source_to_target").mat()
    storage.release()
    mapped = cv2.perspectiveTransform(POINTS[None], matrix)[0]
    np.testing.assert_allclose(mapped, transform("homography").map_points(POINTS), atol=1e-9)


@pytest.mark.parametrize("name", ["b.yml", "b.xml"])
@pytest.mark.parametrize("rows", [2, 3])
def test_what_opencv_writes_is_read(tmp_path: Path, name: str, rows: int) -> None:
    matrix = transform("affine").source_to_target
    storage = cv2.FileStorage(str(tmp_path / name), cv2.FILE_STORAGE_WRITE)
    storage.write("H", matrix[:rows])
    storage.write("comment", "by hand")
    storage.release()
    assert (read_transform(tmp_path / name).source_to_target == matrix).all()


def test_two_matrices_are_ambiguous(tmp_path: Path) -> None:
    storage = cv2.FileStorage(str(tmp_path / "b.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("H", np.eye(3))
    storage.write("K", np.eye(3))
    storage.release()
    with pytest.raises(
        UnreadableError,
        match=r"several 3x3 matrices \(H, K\); name the source-to-target matrix source_to_t",
    ):
        read_transform(tmp_path / "b.yml")


# GDAL


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_gdal_maps_the_same_points(tmp_path: Path, model: str) -> None:
    lines = written(tmp_path, "a.gcp", model).read_text().splitlines()
    points = [[float(word) for word in line.split()[1:]] for line in lines]
    control = [rasterio.control.GroundControlPoint(y, x, e, n) for x, y, e, n in points]
    with rasterio.transform.GCPTransformer(control) as gdal:
        # From a pixel's corner: its centre is half a pixel on.
        east, north = gdal.xy(POINTS[:, 1] + 0.5, POINTS[:, 0] + 0.5, offset="ul")
    # The target as a raster with the geotransform (0, 1, 0, 0, 0, -1).
    found = np.column_stack([np.asarray(east), -np.asarray(north)]) - 0.5
    np.testing.assert_allclose(found, transform(model).map_points(POINTS), atol=1e-6)


def test_control_points_by_hand(tmp_path: Path) -> None:
    (tmp_path / "b.gcp").write_text("# two\n-gcp 0.5 0.5 10.5 -20.5 -gcp 100.5 0.5 110.5 -20.5 0\n")
    found = read_transform(tmp_path / "b.gcp")
    np.testing.assert_allclose(found.map_points([[0, 0], [5, 5]]), [[10, 20], [15, 25]], atol=1e-9)


# What is wrong

CONTRADICTION = {
    "schema": "imalign/transform/1",
    "source_to_target": [[1, 0, 5], [0, 1, 0], [0, 0, 1]],
    "target_to_source": [[1, 0, 5], [0, 1, 0], [0, 0, 1]],
}
FAILED = {
    "schema": "imalign/alignment/1",
    "source_to_target": [[1, 0, 5], [0, 1, 0], [0, 0, 1]],
    "outcome": {"status": "diverged", "aligned": False, "sentence": "the steps led away."},
}
FOLDED = {
    "schema": "imalign/transform/1",
    "source": {"width": 200, "height": 100},
    "source_to_target": [[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]],
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps(CONTRADICTION), "not each other's inverse"),
        (json.dumps(FAILED), r"from a failed alignment \(the steps led away\)"),
        (json.dumps(FOLDED), "horizon crosses the source"),
        (json.dumps({**FAILED, **FOLDED, "schema": FAILED["schema"]}), "failed alignment"),
        (json.dumps({**FOLDED, "source_to_target": [[1, 0, 1]] * 3}), "singular"),
        (json.dumps({**CONTRADICTION, "uncertainty": {"covariance": [[1]]}}), "covariance"),
        (
            json.dumps({"schema": "imalign/transform/2"}),
            "but this version reads imalign/transform/1",
        ),
        ("#Insight Transform File V1.0\n", "contains no transform"),
        ("#Insight Transform File V1.0\nTransform: Euler3DTransform_double_3_3\n", "not supported"),
        (
            "#Insight Transform File\nTransform: AffineTransform_double_2_2\nParameters: 1 0\n",
            "2 parameters instead of 6",
        ),
        (
            "#Insight Transform File V1.0\nTransform: AffineTransform_double_2_2\nParameters: a\n",
            "are not numbers",
        ),
        ("%YAML:1.0\n---\nH: [1,", "FileStorage|no 3x3 matrix"),
        ("%YAML:1.0\n---\nH: 5\n", "no 3x3 matrix"),
        ("<?xml version='1.0'?>\n<opencv_storage>\n<H", "FileStorage|no 3x3 matrix"),
        ("-gcp 1 2 3\n", "control point 1 is not one"),
        ("-gcp 1 2 3 4\n-gcp 1 2 x 4\n", "control point 2 is not one"),
        ("-gcp 1 2 3 nan\n", "not finite"),
        ("-gcp 0 0 0 0\n-gcp 1 1 1 1\n-gcp 2 2 2 2\n", "singular"),
    ],
)
def test_bad_content_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "a")
