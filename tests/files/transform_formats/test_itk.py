"""SimpleITK maps the same points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)

from align_cli.engine.geometry.coordinates import map_points
from align_cli.files.errors import UnreadableError
from align_cli.transform_files import read_transform
from tests.files.transform_formats.examples import (
    CENTRE,
    POINTS,
    SOURCE_SIZE,
    TARGET_SIZE,
    itk_maps,
    transform,
    written,
)


@pytest.mark.parametrize("model", ["translation", "rigid", "similarity", "affine"])
def test_simpleitk_maps_target_points_to_the_source(tmp_path: Path, model: str) -> None:
    other = sitk.ReadTransform(str(written(tmp_path, "a.tfm", model)))
    expected = map_points(transform(model).target_to_source, POINTS)
    np.testing.assert_allclose(itk_maps(other, POINTS), expected, atol=1e-9)
    kinds = {"rigid": "Euler2DTransform", "similarity": "Similarity2DTransform"}
    assert other.GetName() == kinds.get(model, f"{model.capitalize()}Transform")


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
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
    ],
)
def test_bad_content_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UnreadableError, match=words):
        read_transform(tmp_path / "a")
