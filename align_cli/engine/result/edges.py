"""Gradients of planes, and the largest near each pixel."""

from __future__ import annotations

import cv2
import numpy as np

from align_cli.engine.arrays import Plane


def gradients(plane: Plane) -> tuple[Plane, Plane]:
    """The gradient of a plane, (height, width) float32, along x and along y, per pixel."""
    half, one = np.array([[-0.5, 0.0, 0.5]]), np.ones((1, 1))
    across, along = (
        np.asarray(
            cv2.sepFilter2D(plane, cv2.CV_32F, x, y, borderType=cv2.BORDER_REPLICATE), np.float32
        )
        for x, y in ((half, one), (one, half))
    )
    return across, along


def largest_gradient(plane: Plane, side: int) -> Plane:
    """The largest gradient magnitude in a square of ``side`` pixels around each, per pixel."""
    across, along = gradients(plane)
    near = np.ones((side, side), np.uint8)
    return np.asarray(cv2.dilate(cv2.magnitude(across, along), near), np.float32)
