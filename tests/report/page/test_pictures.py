from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from align_cli.report.page import pictures
from align_cli.report.page.pictures import EXACT_BYTES, LOSSY_BYTES, Embedded, picture, reduction
from align_cli.report.page.stretch import Shown


def decoded(each: Embedded) -> np.ndarray:
    data = base64.b64decode(each.uri.partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def waves(width: int, height: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.rint(127 + 60 * np.sin(x / 9) + 60 * np.cos(y / 7)).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "factor"),
    [((1000, 1600), 1), ((1001, 1600), 2), ((2000, 2000), 2), ((8, 16_384), 2), ((6000, 4000), 4)],
)
def test_large_images_are_reduced_by_whole_factors(size: tuple[int, int], factor: int) -> None:
    assert reduction(*size) == factor


def test_a_lossy_picture_is_near_the_image_and_says_that_it_is_lossy() -> None:
    grey = waves(300, 200)
    each = picture(Shown(np.dstack([grey] * 3)), lossless=False)
    assert each.uri.startswith("data:image/webp;base64,")
    assert each.note == "WebP of quality 90 (lossy), every pixel"
    assert np.abs(decoded(each)[..., 0].astype(int) - grey).max() < 16


def test_a_lossless_picture_is_the_image() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    each = picture(Shown(colours), lossless=True)
    assert each.note == "PNG (exact), every pixel"
    assert_array_equal(decoded(each)[..., ::-1], colours)


def test_a_reduced_pixel_is_the_mean_of_its_block_and_the_page_says_so() -> None:
    grey = waves(2001, 1201)
    each = picture(Shown(grey), lossless=False)
    assert (each.width, each.height) == (2002, 1202)
    assert "reduced 2 times: each pixel is the mean of 2 x 2 of the image's" in each.note
    mean = grey[:1200, :2000].reshape(600, 2, 1000, 2).mean(axis=(1, 3))
    seen = decoded(each)[:600, :1000]
    seen = seen if seen.ndim == 2 else seen[..., 0]
    assert np.abs(seen - mean).mean() < 2.0


def test_noise_is_reduced_until_it_fits() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8)
    each = picture(Shown(noise), lossless=False)
    assert len(each.uri) < 1.4 * LOSSY_BYTES
    assert "reduced" in each.note


def test_what_cannot_be_seen_is_transparent_also_where_it_is_reduced() -> None:
    opaque = np.full((1300, 1300), 255, np.uint8)
    opaque[:, :301] = 0
    each = picture(Shown(waves(1300, 1300), opaque), lossless=False)
    alpha = decoded(each)[..., 3]
    # The block on the border is left out: it would be darkened by what is not there.
    assert_array_equal(alpha[0], np.r_[np.zeros(151), np.full(499, 255)])


COLOURS = np.column_stack([np.repeat(np.arange(256)[:, None], 3, axis=1), np.full(256, 255)])
PALETTE = COLOURS.astype(np.uint8)


def test_an_exact_picture_is_its_levels() -> None:
    levels = np.random.default_rng(1).integers(0, 20, (100, 130), np.uint8)
    each = pictures.exact(levels, levels, PALETTE, whole=False)
    assert_array_equal(decoded(each)[..., 0], levels)


def test_of_what_is_reduced_exactly_the_largest_stays() -> None:
    levels = np.random.default_rng(1).integers(0, 256, (1001, 1000), np.uint8)
    each = pictures.exact(levels, levels, PALETTE, whole=False)
    assert len(each.uri) < 1.4 * EXACT_BYTES
    factor = int(each.note.partition("reduced ")[2].split()[0])
    assert f"the largest of {factor} x {factor}" in each.note
    padded = np.pad(levels, ((0, -1001 % factor), (0, 0)))
    rows = padded.shape[0] // factor
    expected = padded.reshape(rows, factor, 1000 // factor, factor).max(axis=(1, 3))
    assert_array_equal(decoded(each)[..., 0], expected)
    whole = pictures.exact(levels, levels, PALETTE, whole=True)
    assert_array_equal(decoded(whole)[..., 0], levels)
