"""Frames of animations, as any viewer shows them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from align_cli.files.errors import ContentError, UnreadableError
from align_cli.files.frames import count, decoded
from align_cli.files.images import read_image

COLOURS = [(200, 30, 10), (20, 180, 60), (0, 90, 250)]


def animation(form: str, colours: list[tuple[int, int, int]] = COLOURS) -> bytes:
    """Frames of one colour each, with a white square that is in another place in each."""
    frames = []
    for number, colour in enumerate(colours):
        pixels = np.full((20, 30, 3), colour, np.uint8)
        pixels[4:9, 3 + 5 * number : 8 + 5 * number] = 255
        frames.append(Image.fromarray(pixels))
    file = io.BytesIO()
    settings = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(file, form, save_all=True, append_images=frames[1:], **settings)
    return file.getvalue()


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_a_frame_is_whole(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(animation(form))
    assert count(path.read_bytes()) == 3
    for number, colour in enumerate(COLOURS):
        pixels = read_image(path, page=number).pixels[..., :3]
        assert pixels.shape == (20, 30, 3)
        assert tuple(pixels[15, 15]) == colour
        assert (pixels[4:9, 3 + 5 * number : 8 + 5 * number] == 255).all()
        assert (pixels == 255).all(axis=2).sum() == 25
    with pytest.raises(UnreadableError, match=r"contains 3 frames.*; choose .* --page 0 to 2"):
        read_image(path, page=3)
    with pytest.raises(UnreadableError, match="choose a frame with --page N"):
        read_image(path)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "JPEG", "BMP", "TIFF", "PPM"])
def test_a_still_image_has_the_page_0_only(tmp_path: Path, form: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8)
    path = tmp_path / "a.bin"
    Image.fromarray(pixels).save(path, form)
    alone, page = read_image(path), read_image(path, page=0)
    np.testing.assert_array_equal(alone.pixels, page.pixels)
    assert alone.metadata == page.metadata
    with pytest.raises(UnreadableError, match="contains 1 page, counted from 0, and no page 1"):
        read_image(path, page=1)


def test_a_grey_gif_stays_grey_and_a_transparent_one_has_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(read_image(path).pixels, grey)
    indices = Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20) % 2)
    indices.putpalette([255, 0, 0, 0, 0, 255])
    indices.save(path, transparency=1)
    pixels = read_image(path).pixels
    assert pixels.shape == (10, 20, 4)
    assert (pixels[..., 3] == np.tile([255, 0], (10, 10))).all()
    assert tuple(pixels[0, 0]) == (255, 0, 0, 255)


def test_a_frame_that_is_too_large_is_not_decoded() -> None:
    with pytest.raises(ContentError) as caught:
        decoded(animation("GIF"), 0.0001, 1)
    assert "more than the limit" in caught.value.cause


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_that_is_cut_is_an_error(form: str) -> None:
    data = animation(form)
    with pytest.raises(ContentError) as caught:
        decoded(data[: len(data) // 2], 1.0, 2)
    assert (
        "truncated" in caught.value.cause
        or "damaged" in caught.value.cause
        or ("no frame 2" in caught.value.cause)
    )
