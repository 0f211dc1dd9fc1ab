from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import align, residual
from align_cli.engine.errors import ImageError
from align_cli.engine.images import luma as luma_module
from align_cli.engine.images.luma import LargeLuma, luma
from align_cli.engine.images.pyramid import smooth_part
from align_cli.engine.sampling import tiled as parts
from align_cli.engine.sampling.bilinear import sample
from align_cli.engine.sampling.tiled import sample_parts
from tests.scenes import MODEL_NAMES, Matrix, motion, pair, render, textured

SIZE, WINDOW = (61, 47), (40, 24)


def about(degrees: float) -> Matrix:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 28.0 - 20.0 * c + 12.0 * s], [s, c, 23.0 - 20.0 * s - 12.0 * c],
                     [0.0, 0.0, 1.0]])  # fmt: skip


WARPS = [
    np.eye(3),
    *(motion(model, WINDOW) for model in MODEL_NAMES),
    *(about(degrees) for degrees in (45.0, 90.0, 180.0)),
    np.array([[2.0, 0.0, -9.0], [0.0, 2.5, -7.0], [0.0, 0.0, 1.0]]),
    np.array([[1.0, 0.0, 900.0], [0.0, 1.0, -700.0], [0.0, 0.0, 1.0]]),
]


@pytest.mark.parametrize("window", [WINDOW, WINDOW[::-1]])
@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("largest", [2.0, 0.2])
def test_parts_hold_what_the_whole_does(
    warp: Matrix, largest: float, window: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "LARGEST_AREA_RATIO", largest)
    monkeypatch.setattr(parts, "SMALL_PART", 0)
    image = render(textured(2, size=SIZE), SIZE, noise=0.1)
    expected = sample(image, warp, window, replicate=True)
    out = np.full((window[1], window[0]), np.nan, np.float32)
    asked = []

    def part_of(part: tuple[slice, slice]) -> np.ndarray:
        asked.append(image[part].size)
        return image[part]

    sample_parts(part_of, SIZE, warp, window, out=out, replicate=True)
    assert_allclose(out, expected, atol=2e-5)
    if (warp == np.eye(3)).all():
        assert (len(asked) > 1) == (largest < 1.0)


@pytest.mark.parametrize("channels", [0, 3, 4])
def test_a_large_image_is_converted_where_it_is_looked_at(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = (47, 61, channels) if channels else (47, 61)
    image = np.random.default_rng(0).integers(1, 255, shape, dtype=np.uint8)
    plain = luma(image)
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    if channels == 4:
        image[..., 3] = 9
    large = luma(image)
    assert isinstance(large, LargeLuma)
    assert large.size == plain.size
    assert (large.offset, large.scale, large.valid) == (0.0, 1.0, None)
    assert_array_equal(large.plane, plain.plane)
    part = np.s_[3:20, 8:9]
    assert_array_equal(large.part(part), plain.part(part))
    kernel = np.array([0.25, 0.5, 0.25])
    made, held = (smooth_part(each.filtered(kernel), part) for each in (large, plain))
    assert_allclose(made, held, atol=1e-6)
    as_it_is = smooth_part(large.filtered(np.ones(1)), np.s_[0:47, 0:61])
    assert_allclose(as_it_is, large.plane, atol=1e-6)


def test_a_large_flat_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    image = np.full((20, 30, 3), 7, np.uint8)
    with pytest.raises(ImageError, match="flat"):
        luma(image)
    image[19, 29, 2] = 8
    assert isinstance(luma(image), LargeLuma)
    image[...] = [10, 20, 30]
    with pytest.raises(ImageError, match="flat"):
        luma(image)
    image[...] = np.arange(20, dtype=np.uint8)[:, None, None]
    assert isinstance(luma(image), LargeLuma)


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("degrees", [0.0, 5.0])
def test_a_reduced_image_is_not_cut_into_crumbs(scale: float, degrees: float) -> None:
    image = np.zeros((400, 400), np.float32)
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    warp = np.array([[c, -s, 40.0], [s, c, 9.0], [0.0, 0.0, 1.0]])
    asked = []

    def part_of(part: tuple[slice, slice]) -> np.ndarray:
        asked.append(part)
        return image[part]

    sample_parts(part_of, (400, 400), warp, (80, 40), out=np.empty((40, 80), np.float32))
    assert len(asked) == 1


@pytest.mark.parametrize("preset", ["balanced", "precise"])
def test_large_images_align_as_others_do(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pair("homography", seed=3, size=(160, 120))
    source, target = (
        np.clip(np.rint(255.0 * image), 0, 255).astype(np.uint8)
        for image in (images.source, images.target)
    )
    plain = align(source, target, preset=preset)
    differences, overlap = residual(source, target, plain)
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    large = align(source, target, preset=preset)
    assert large.outcome == plain.outcome
    assert_allclose(large.source_to_target, plain.source_to_target, atol=1e-4)
    found, inside = residual(source, target, plain)
    assert_allclose(found, differences, atol=2e-5)
    assert_array_equal(inside, overlap)


@pytest.mark.parametrize("size", [(30, 26), (160, 120)])
def test_a_large_target_need_not_keep_its_finest_level(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else asks for that level: a source so small that there is no other, or the tiles."""
    images = pair("translation", seed=3, size=(160, 120), move_px=2.0)
    source, target = (
        np.clip(np.rint(255.0 * image), 0, 255).astype(np.uint8)
        for image in (images.source, images.target)
    )
    source = source[: size[1], : size[0]]
    # To the end: the two begin the last level with different pixels.
    plain = align(source, target, model="translation", tolerance=1e-6)
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    large = align(source, target, model="translation", tolerance=1e-6)
    assert_allclose(large.source_to_target, plain.source_to_target, atol=1e-4)
    # What is left of the smaller one has no room for tiles.
    assert large.outcome.aligned is (size == (160, 120))
