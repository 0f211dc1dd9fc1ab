"""What masks and channels do to the plane that is aligned, and to the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from align_cli import Aligner, align
from align_cli.engine.aligner import residual
from align_cli.engine.errors import ImageError
from align_cli.engine.images.luma import LARGE_PIXELS, luma
from align_cli.engine.images.masks import Region, check_mask, region_mask
from align_cli.engine.images.pyramid import Level, pyramid
from align_cli.engine.options import DEFAULTS
from align_cli.engine.target.gradient_shrinkage import shrink_gradient
from align_cli.engine.target.pixel_selection import target_points
from align_cli.engine.target.planes import target_planes
from tests.scenes import DTYPES, pair, pixel_grid, textured


def disc(size: tuple[int, int]) -> np.ndarray:
    """(height, width) bool, False in a disc off the centre."""
    x, y = pixel_grid(size)
    return np.asarray(np.hypot(x - 0.4 * size[0], y - 0.6 * size[1]) > 0.25 * min(size))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_the_plane_holds_nothing_of_what_is_masked(dtype: str, channels: int) -> None:
    numbers = np.random.default_rng(channels)
    full = 255 if dtype.startswith("u") else 1.0
    image = (full * numbers.uniform(0.1, 1.0, (30, 40, channels))).astype(dtype)
    mask = disc((40, 30))
    other = image.copy()
    other[~mask] = 0 if dtype.startswith("u") else np.finfo(dtype).max
    one, two = luma(image, mask=mask), luma(other, mask=mask)
    assert one.valid is not None
    assert two.valid is not None
    assert (one.valid == mask).all()
    assert (two.valid == mask).all()
    assert one.plane.tobytes() == two.plane.tobytes()
    assert (one.offset, one.scale) == (two.offset, two.scale)
    assert not one.plane[~mask].any()
    assert one.plane[mask].any()


def test_a_mask_of_all_pixels_is_none() -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 40)).astype(np.uint8)
    assert luma(image, mask=np.ones((30, 40), np.bool_)).valid is None


def test_a_mask_alpha_and_what_is_not_finite_add_up() -> None:
    image = np.random.default_rng(0).uniform(size=(30, 40, 2))
    image[..., 1] = 1.0
    image[5, 5, 1], image[6, 6, 0] = 0.0, np.nan
    mask = np.ones((30, 40), np.bool_)
    mask[7, 7] = False
    seen = luma(image, mask=mask)
    assert seen.valid is not None
    assert {*zip(*map(np.ndarray.tolist, np.nonzero(~seen.valid)), strict=True)} == {
        (5, 5),
        (6, 6),
        (7, 7),
    }
    opaque = luma(image, mask=mask, ignore_alpha=True)
    assert opaque.valid is not None
    assert opaque.valid[5, 5]
    assert not opaque.valid[6, 6]
    assert opaque.plane[5, 5] != 0.0


@pytest.mark.parametrize("pixels", [1200, 2 * LARGE_PIXELS])
@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_channels(pixels: int, channels: int) -> None:
    height, width = 30, pixels // 30
    width = min(width, 32766)
    height = pixels // width
    image = np.random.default_rng(0).integers(0, 256, (height, width, channels)).astype(np.uint8)
    if channels == 4:
        image[..., 3] |= 1
    for channel in range(channels):
        plane = luma(image, channel=channel).plane
        assert np.allclose(plane, image[..., channel] / 255.0, atol=1e-6)
    mean = luma(image, channel="all").plane
    colours = image[..., :3] if channels == 4 else image
    assert np.allclose(mean, colours.mean(axis=2) / 255.0, atol=1e-6)
    with pytest.raises(ImageError, match=f"^target: there is no channel {channels}: it has"):
        luma(image, "target", channel=channels)


def test_alpha_is_no_mask_where_it_is_what_is_aligned() -> None:
    image = np.random.default_rng(0).integers(0, 2, (30, 40, 4)).astype(np.uint8)
    assert luma(image).valid is not None
    assert luma(image, channel=3).valid is None
    assert luma(image, channel=2).valid is not None


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((30, 41), np.bool_), "^target mask: the mask has 41x30 px, the target 40x30 px"),
        (np.ones((40, 30), np.bool_), "^target mask: the mask has 30x40 px"),
        (np.zeros((30, 40), np.bool_), "^target mask: every pixel of the mask is zero"),
        (np.ones((30, 40), np.uint8), "^target mask: .*bool, got uint8 of shape"),
        (np.ones((30, 40, 1), np.bool_), "^target mask: .*bool, got bool of shape"),
        ([[True]], "^target mask: .*bool, got list"),
    ],
)
def test_masks_that_cannot_be_used(mask: Any, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        check_mask(mask, (30, 40), "target")


def test_a_region() -> None:
    mask = region_mask(Region(3, 1, 4, 2), (10, 5))
    assert mask.shape == (5, 10)
    assert mask.sum() == 8
    assert mask[1:3, 3:7].all()
    assert region_mask(Region(0, 0, 10, 5), (10, 5)).all()
    for outside in ((7, 0, 4, 5), (0, 4, 1, 2), (-1, 0, 2, 2), (0, 0, 0, 1)):
        with pytest.raises(ImageError, match="extends beyond the image, which has 10x5 px"):
            region_mask(Region(*outside), (10, 5))


@pytest.mark.parametrize("options", [{"channel": -1}, {"channel": True}, {"channel": "red"}])
def test_channels_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^unknown channel"):
        Aligner(np.eye(20), **options)


@pytest.mark.parametrize("model", ["rigid", "auto"])
def test_what_is_masked_does_not_move_the_answer(model: str) -> None:
    made = pair("rigid", seed=2, dtype="uint8")
    target, source = made.target.copy(), made.source.copy()
    # More than half of the target moved by itself: only the mask tells which motion is meant.
    mask = np.ones(target.shape[:2], np.bool_)
    mask[:, : int(0.6 * mask.shape[1])] = False
    target[~mask] = np.roll(target, 9, axis=0)[~mask]
    kept = mask.copy()
    found = align(source, target, model=model, target_mask=mask)
    assert found.outcome.aligned
    assert made.error_px(found.source_to_target) < 0.1
    assert (mask == kept).all()
    again = Aligner(target, mask=mask, model=model).align(source)
    assert (again.source_to_target == found.source_to_target).all()
    _, overlap = residual(source, target, found, target_mask=mask, options=DEFAULTS)
    assert not overlap[~mask].any()
    assert overlap[mask].any()
    # The same seen from the other image.
    back = align(target, source, model=model, source_mask=mask)
    assert back.outcome.aligned
    assert made.error_px(np.linalg.inv(back.source_to_target)) < 0.1


def test_a_small_region_is_seen_at_many_points() -> None:
    x, y = pixel_grid((800, 600))
    image = textured()(x, y).astype(np.float32)
    mask = region_mask(Region(300, 200, 120, 90), (800, 600))
    points = target_points(Level(image, mask))
    whole = target_points(Level(image, None))
    assert points is not None
    assert whole is not None
    assert points.image.size > 0.5 * whole.image.size
    columns, rows = points.coordinates[:2].astype(int)
    assert mask[rows, columns].all()


def test_the_edge_of_a_mask_is_no_texture() -> None:
    x, y = pixel_grid((300, 200))
    noise = np.random.default_rng(0).normal(0.0, 0.05, (200, 300))
    # Far from 0, which is what the plane holds under the mask.
    image = (5.0 + textured()(x, y) + noise).astype(np.float32)
    mask = disc((300, 200))
    full = np.rint(1e4 * image).astype(np.uint16)
    planes = [target_planes(pyramid(luma(full, mask=each), 1)[0]) for each in (None, mask)]
    whole, masked = (shrink_gradient(each, 0.05e4 / 65535.0) for each in planes if each is not None)
    assert masked.texture == pytest.approx(whole.texture, rel=0.1)
    assert masked.steepness == pytest.approx(whole.steepness, rel=0.05)
