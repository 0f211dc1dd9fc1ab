"""A transform of each model, written to a file, for the tests of each format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813  (its own documentation's name)

from align_cli.engine.geometry.models import MODELS
from align_cli.engine.result.transform import Transform
from align_cli.transform_files import transform_text

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


CENTRE = (70.0, -20.0)


def itk_maps(other: sitk.Transform, points: np.ndarray) -> np.ndarray:
    return np.array([other.TransformPoint(point) for point in points.tolist()])
