"""Inpainting of invalid pixels, so that filters find no edge at their border."""

from __future__ import annotations

import cv2
import numpy as np

from align_cli.engine.arrays import Mask, Plane


def inpainted(image: Plane, valid: Mask | None) -> Plane:
    """The image with its invalid pixels filled in smoothly from the valid ones around them.

    They remain invalid. Interpolated from ever coarser means (push-pull; Gortler et al. 1996, "The
    Lumigraph").

    Args:
        image: (height, width) float32; its values at invalid pixels do not matter.
        valid: (height, width) bool, or None where every pixel is valid.
    """
    if valid is None or valid.all():
        return image
    if min(image.shape) <= 2 or not valid.any():
        known = image[valid]
        return np.where(valid, image, known.mean() if known.size else 0.0).astype(np.float32)
    share = cv2.pyrDown(valid.astype(np.float32))
    half = cv2.pyrDown(np.where(valid, image, np.float32(0.0)))
    seen = share > 0.0
    coarse = inpainted(np.divide(half, share, out=np.zeros_like(half), where=seen), seen)
    height, width = image.shape
    return np.where(valid, image, cv2.pyrUp(coarse, dstsize=(width, height))).astype(np.float32)
