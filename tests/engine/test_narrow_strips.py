"""Strips of a few pixels: an answer or a reason, and no warning from within."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from align_cli import align
from align_cli.engine.records import Status


@pytest.mark.parametrize("model", ["translation", "homography"])
@pytest.mark.parametrize(("width", "height"), [(8, 500), (8, 20_000), (16, 500), (16, 20_000)])
def test_a_narrow_strip_is_aligned_or_has_too_little_texture(
    width: int, height: int, model: str
) -> None:
    rng = np.random.default_rng(width)
    noise = cv2.GaussianBlur(rng.random((height + 40, width + 20)), (0, 0), 1.5)[10:-10, 10:-10]
    scene = ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)
    found = align(scene[:height], scene[2 : height + 2], model=model)
    if width == 8:
        assert found.outcome.status is Status.SINGULAR
    else:
        assert found.outcome.aligned
        np.testing.assert_allclose(found.map_points([[8.0, 100.0]]), [[8.0, 98.0]], atol=0.1)
