"""Derivatives of images by central differences."""

from __future__ import annotations

import cv2
import numpy as np

from align_cli.engine.arrays import Plane


def central_difference(image: Plane, axis: int) -> Plane:
    """Half the difference of the two neighbours along an axis, (height, width), per pixel."""
    return np.asarray(cv2.Sobel(image, cv2.CV_32F, axis, 1 - axis, ksize=1, scale=0.5), np.float32)


def central_differences(image: Plane) -> tuple[Plane, Plane]:
    """Gradient along x and along y, per pixel, (height, width) each."""
    return central_difference(image, axis=1), central_difference(image, axis=0)
