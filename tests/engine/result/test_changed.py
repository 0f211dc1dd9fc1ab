"""Rendered screenshots: what changed is found, and nothing else is."""

from __future__ import annotations

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from align_cli import align
from align_cli.engine.errors import ImageError
from align_cli.engine.result.changed import (
    LEAST_PIXELS,
    MOST_BOXES,
    MOST_REFITTED_AREAS,
    Changed,
    ChangedArea,
    Layer,
    changed_areas,
)
from benchmarks.changed_pages import Patch, Pixels, Text, random_page, render, text_box

PAGE = random_page(np.random.default_rng(3))
TARGET = render(PAGE)
BUTTON = Patch((300, 300, 40, 40), (90, 140, 200), 0)
LINE = PAGE.texts[8]


def changes(source: Pixels, target: Pixels = TARGET, **options: object) -> Changed:
    found = align(source, target)
    assert found.outcome.aligned
    changed = found.changed(source, target, **options)  # type: ignore[arg-type]
    assert changed is not None
    return changed


def edges(box: ChangedArea) -> tuple[int, int, int, int]:
    return box.x, box.y, box.x + box.width, box.y + box.height


@pytest.mark.parametrize("shift", [(0, 1), (1, 0), (-1, 1)])
def test_a_shift_by_a_pixel_is_no_change(shift: tuple[int, int]) -> None:
    assert changes(np.roll(TARGET, shift, (0, 1))).boxes == ()


@pytest.mark.parametrize("offset", [(0.25, 0.0), (0.5, 0.0), (0.375, 0.5)])
def test_text_at_another_subpixel_position_is_no_change(offset: tuple[float, float]) -> None:
    source = render(PAGE, offset=offset)
    assert np.abs(source.astype(int) - TARGET).max() > 40
    assert changes(source).boxes == ()


@pytest.mark.parametrize("scales", [(2, 1), (1, 2)])
def test_another_density_is_no_change(scales: tuple[int, int]) -> None:
    source, target = (render(PAGE, density=each) for each in scales)
    assert changes(source, target).boxes == ()


@pytest.mark.parametrize("colour", [(120, 170, 220), (60, 110, 170), (90, 160, 230)])
def test_a_recoloured_button_is_found_where_it_is(colour: tuple[int, int, int]) -> None:
    target = render(PAGE.with_patch(BUTTON))
    source = np.roll(render(PAGE.with_patch(Patch(BUTTON.box, colour, 0))), 1, 1)
    (box,) = changes(source, target).boxes
    assert edges(box) == pytest.approx((300, 300, 340, 340), abs=3)
    assert box.area == pytest.approx(1600, rel=0.15)


def test_a_line_that_is_gone_is_found() -> None:
    (box,) = changes(render(PAGE.without(LINE))).boxes
    x, y, width, height = text_box(LINE)
    assert edges(box) == pytest.approx((x, y, x + width, y + height), abs=4)


def test_a_line_that_is_gone_and_what_moved_up_are_found() -> None:
    source = render(PAGE.closed_up(LINE))
    found = align(source, TARGET)
    changed = found.changed(source, TARGET)
    assert changed is None or changed.share > 0.01


def test_grey_levels_may_be_allowed() -> None:
    red, green, blue = (each + 20 for each in PAGE.background)
    source = render(PAGE.with_patch(Patch(BUTTON.box, (red, green, blue), 0)))
    assert changes(source).areas == 1
    assert changes(source, above_levels=25.0).boxes == ()
    assert changes(source, above_levels=25.0).above_levels == 25.0


def test_another_exposure_is_no_change() -> None:
    darker = np.rint(0.7 * TARGET + 10).astype(np.uint8)
    assert changes(darker).boxes == ()


def test_noise_is_no_change_and_a_change_is_found_in_it() -> None:
    rng = np.random.default_rng(0)

    def noisy(image: Pixels) -> Pixels:
        return np.clip(np.rint(image + rng.normal(0.0, 8.0, image.shape)), 0, 255).astype(np.uint8)

    assert changes(noisy(TARGET // 2 + 60), noisy(TARGET // 2 + 60)).boxes == ()
    source = render(PAGE.with_patch(Patch(BUTTON.box, (150, 150, 150), 0)))
    (box,) = changes(noisy(source // 2 + 60), noisy(TARGET // 2 + 60)).boxes
    assert edges(box) == pytest.approx((300, 300, 340, 340), abs=4)


def test_noise_of_a_dark_source_is_no_change() -> None:
    """It grows with the gain that makes the source as bright as the target."""
    noise = np.random.default_rng(0).normal(0.0, 12.0, TARGET.shape)
    dark = np.clip(np.rint(0.35 * TARGET + 40.0 + noise), 0, 255).astype(np.uint8)
    assert changes(dark).boxes == ()


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_every_kind_of_pixel_gives_the_same_box(dtype: type) -> None:
    source = render(PAGE.with_patch(BUTTON))
    factor = 257 if dtype is np.uint16 else 1e3
    both = [(image * np.float64(factor)).astype(dtype) for image in (source, TARGET)]
    (box,) = changes(*both).boxes
    assert edges(box) == pytest.approx((300, 300, 340, 340), abs=3)


def test_masked_pixels_do_not_change() -> None:
    source, mask = render(PAGE.with_patch(BUTTON)), np.ones(TARGET.shape[:2], bool)
    mask[290:350, 290:350] = False
    assert changes(source, target_mask=mask).boxes == ()
    assert changes(source, source_mask=mask).boxes == ()


def test_of_edge_orientations_and_failures_nothing_is_told() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, TARGET.shape, dtype=np.uint8)
    assert align(noise, TARGET).changed(noise, TARGET) is None
    negative = 255 - TARGET
    found = align(negative, TARGET, similarity="gradient")
    assert found.outcome.vouched
    assert found.changed(negative, TARGET) is None


def test_other_images_are_refused() -> None:
    found = align(TARGET, TARGET)
    with pytest.raises(ImageError, match="800x640"):
        found.changed(TARGET[1:], TARGET)


def test_another_hue_of_the_same_luma_is_a_change() -> None:
    colours = (200, 60, 60), (60, 131, 60)
    source, target = (render(PAGE.with_patch(Patch(BUTTON.box, c, 0))) for c in colours)
    (box,) = changes(source, target).boxes
    assert edges(box) == pytest.approx((300, 300, 340, 340), abs=3)


def test_a_blurred_form_in_greys_has_not_changed() -> None:
    """Blur takes contrast from its lines, which a gain explains in part; greys have no hue."""
    form = np.full((600, 800, 3), 255, np.uint8)
    for y in range(60, 560, 70):
        cv2.rectangle(form, (60, y), (700, y + 40), (0, 0, 0), 1)
        cv2.putText(
            form, f"Field {y}", (70, y + 26), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0,) * 3, 1, 16
        )
    blurred = cv2.GaussianBlur(form, (0, 0), 0.7)
    found = align(blurred, form)
    assert found.illumination is not None
    assert found.gain < 0.99
    assert changes(blurred, form).boxes == ()
    blurred[210:230, 300:420] = 120
    (box,) = changes(blurred, form).boxes
    assert edges(box) == pytest.approx((300, 210, 420, 230), abs=4)


def test_a_channel_without_contrast_is_not_compared() -> None:
    target = TARGET.copy()
    target[..., 0] = 255  # red on white
    source = target.copy()
    source[300:340, 300:340, 1:] = 128
    (box,) = changes(source, target).boxes
    assert edges(box) == pytest.approx((300, 300, 340, 340), abs=3)


@pytest.mark.parametrize("balance", [(1.0, 0.97, 0.92), (0.9, 0.97, 0.75)])
def test_another_white_balance_is_no_change(balance: tuple[float, float, float]) -> None:
    warmer = np.rint(TARGET * balance + [0, 4, 8]).astype(np.uint8)
    assert changes(warmer).boxes == ()


def plain(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.zeros(size, np.float32),
        np.ones(size, np.bool_),
        np.full(size, 0.5, np.float32),
    )


def areas_of(residual: np.ndarray, overlap: np.ndarray, target: np.ndarray) -> Changed:
    layer = Layer(residual, overlap, target, noise=0.0)
    return changed_areas([layer], residual.shape, above_levels=8.0)


def test_boxes_come_the_largest_first_and_strips_have_no_seams() -> None:
    residual, overlap, target = plain((3000, 400))
    residual[1200:1500, 50:60] = 0.5
    residual[100:120, 200:300] = -0.5
    found = areas_of(residual, overlap, target)
    assert [edges(box) for box in found.boxes] == [(49, 1199, 61, 1501), (199, 99, 301, 121)]
    assert found.pixels == sum(box.area for box in found.boxes)
    assert found.share == found.pixels / residual.size


def test_the_largest_boxes_are_listed_and_specks_are_none() -> None:
    residual, overlap, target = plain((600, 600))
    for y in range(20, 600, 40):
        residual[y : y + 2, 20::40] = residual[y : y + 2, 21::40] = 1.0
    residual[305, 10:590] = 1.0
    found = areas_of(residual, overlap, target)
    assert len(found.boxes) == MOST_BOXES < found.areas
    assert found.boxes[0].area > found.boxes[-1].area >= LEAST_PIXELS
    specks = areas_of(np.float32(0.12) * residual, overlap, target)
    assert specks.areas == 1


def test_without_overlap_nothing_changed() -> None:
    residual, overlap, target = plain((50, 60))
    found = areas_of(residual, ~overlap, target)
    assert (found.share, found.areas) == (0.0, 0)


def test_a_texture_that_only_one_image_has_is_a_change() -> None:
    residual, overlap, target = plain((100, 120))
    x = np.arange(60, 100)
    residual[30:70, 60:100] = 0.4 * np.sin(2.0 * np.pi * x / 6.0)
    assert areas_of(residual, overlap, target).areas == 1
    assert areas_of(-residual, overlap, target + residual).areas == 1


@pytest.mark.parametrize(("gap", "areas"), [(8, 1), (12, 2)])
def test_what_is_near_is_one_area(gap: int, areas: int) -> None:
    residual, overlap, target = plain((100, 120))
    residual[40:60, 20:40] = residual[40:60, 42 + gap : 62 + gap] = 0.5
    assert areas_of(residual, overlap, target).areas == areas


def test_what_noise_reaches_is_no_change_and_little_more_is() -> None:
    residual, overlap, target = plain((400, 400))
    residual += np.random.default_rng(0).normal(0.0, 0.1, residual.shape).astype(np.float32)
    noisy = Layer(residual, overlap, target, noise=0.1)
    assert changed_areas([noisy], residual.shape, above_levels=0.0).areas == 0
    residual[100:140, 100:140] += 0.3
    assert changed_areas([noisy], residual.shape, above_levels=0.0).areas == 1


def test_a_source_of_smaller_pixels_is_compared_at_the_targets() -> None:
    residual, overlap, target = plain((100, 120))
    residual[40:43, 20:90] = 0.2
    found = [
        changed_areas(
            [Layer(residual, overlap, target, 0.0)], residual.shape, above_levels=8.0, pixel_px=px
        )
        for px in (0.25, 1.0, 3.0)
    ]
    assert found[0] == found[1] != found[2]


def compressed(image: Pixels, kind: str, quality: int) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, quality=quality)
    return np.asarray(Image.open(stream).convert("RGB"))


@pytest.mark.parametrize(("kind", "quality"), [("JPEG", 75), ("JPEG", 90), ("WEBP", 90)])
def test_compression_is_no_change(kind: str, quality: int) -> None:
    """Their hue has half the resolution: a label on a button of a strong colour."""
    button = Patch((300, 300, 90, 32), (26, 115, 232), 6)
    label = Text(312.0, 316.0, "save", 13.0, (255, 255, 255))
    page = PAGE.with_patch(button)
    target = render(replace(page, texts=(*page.texts, label)))
    source = compressed(target, kind, quality)
    assert changes(source, target).boxes == ()
    other = render(replace(page.with_patch(replace(button, colour=(60, 115, 200)))))
    assert changes(compressed(other, kind, quality), target).boxes


@pytest.mark.parametrize("down", [1.0, -1.3])
def test_a_line_of_text_may_be_a_pixel_lower(down: float) -> None:
    """Browsers put lines on whole pixels, and so elsewhere between boxes, at another density."""
    bold = Text(300.0, 320.0, "EUR 128.00", 26.0, (0, 0, 0))
    texts = (*PAGE.texts, bold)
    target = render(replace(PAGE, texts=texts))
    lower = render(replace(PAGE, texts=(*PAGE.texts, replace(bold, y=bold.y + down))))
    assert changes(lower, target).boxes == ()
    other = render(
        replace(PAGE, texts=(*PAGE.texts, replace(bold, y=bold.y + down, words="EUR 723.00")))
    )
    assert changes(other, target).boxes


def test_another_paper_is_the_change_and_not_what_stayed() -> None:
    page = replace(random_page(np.random.default_rng(1)), background=(255, 255, 255))
    page = page.with_patch(BUTTON)
    found = changes(render(replace(page, background=(240, 240, 240))), render(page))
    assert found.share > 0.3
    held = np.zeros(TARGET.shape[:2], bool)
    held[:48] = True  # the header
    held[306:334, 306:334] = True
    source = render(replace(page, background=(240, 240, 240)))
    alignment = align(source, render(page))
    of_held = alignment.changed(source, render(page), target_mask=held)
    assert of_held is not None
    assert of_held.areas == 0


@pytest.mark.parametrize("kind", ["12 bits", "10 bits", "a dark picture", "a hot pixel"])
def test_grey_levels_are_of_the_range_that_the_data_use(kind: str) -> None:
    def of(image: Pixels) -> np.ndarray:
        if kind == "a hot pixel":
            values = image[..., 1] / np.float32(255.0)
            values[5, 5] = 1e4
            return np.asarray(values)
        dtype, factor = {
            "12 bits": (np.uint16, 16),
            "10 bits": (np.uint16, 4),
            "a dark picture": (np.uint8, 0.2),
        }[kind]
        return np.asarray(np.rint(image[..., 1] * np.float64(factor)).astype(dtype))

    light = replace(random_page(np.random.default_rng(1)), background=(255, 255, 255))
    target = render(light)
    source = render(light.with_patch(Patch(BUTTON.box, (225, 225, 225), 0)))
    (box,) = changes(of(source), of(target)).boxes
    assert edges(box) == pytest.approx((300, 300, 340, 340), abs=3)
    assert changes(of(np.roll(target, 1, 1)), of(target)).boxes == ()


@pytest.mark.parametrize("alpha", [0, 100])
def test_what_became_transparent_has_changed(alpha: int) -> None:
    opaque = np.dstack([TARGET, np.full(TARGET.shape[:2], 255, np.uint8)])
    hole = opaque.copy()
    hole[300:340, 300:400, 3] = alpha
    for source, target in ((opaque, hole), (hole, opaque), (hole, TARGET)):
        found = changes(source, target)
        (box,) = found.boxes
        assert edges(box) == pytest.approx((300, 300, 400, 340), abs=3)
        assert found.share == pytest.approx(box.area / TARGET[..., 0].size, rel=0.01)
    assert changes(hole, hole).boxes == ()
    assert changes(opaque, TARGET).boxes == ()
    masked = np.ones(TARGET.shape[:2], bool)
    masked[290:350, 290:410] = False
    assert changes(opaque, hole, source_mask=masked).boxes == ()


def test_transparency_may_be_ignored() -> None:
    opaque = np.dstack([TARGET, np.full(TARGET.shape[:2], 255, np.uint8)])
    hole = opaque.copy()
    hole[300:340, 300:400, 3] = 0
    found = align(opaque, hole, ignore_alpha=True)
    changed = found.changed(opaque, hole, ignore_alpha=True)
    assert changed is not None
    assert changed.boxes == ()


@pytest.mark.parametrize("many", [12, 20])
def test_of_many_areas_none_is_looked_for_elsewhere(many: int) -> None:
    """A stroke that is a pixel and a half off is no change, unless there are hundreds."""
    _, overlap, target = plain((40 * many, 40 * many))
    source = target.copy()
    for y in range(10, 40 * many, 40):
        target[y : y + 20, 10::40] = target[y : y + 20, 11::40] = 1.0
        source[y : y + 20, 11::40] = 0.75
        source[y : y + 20, 12::40] = 1.0
        source[y : y + 20, 13::40] = 0.75
    found = areas_of(source - target, overlap, target)
    assert found.areas == (many * many if many * many > MOST_REFITTED_AREAS else 0)


def test_another_white_balance_of_a_photograph_is_no_change() -> None:
    """Its luma hardly changes, but the channels do."""
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.uniform(0.0, 1.0, (400, 400)), (0, 0), 6) - 0.5
    photograph = np.dstack([np.clip(128 + 1500 * smooth, 0, 240).astype(np.uint8)] * 3)
    warmer = np.rint(photograph * [1.05, 1.0, 0.93]).astype(np.uint8)
    assert changes(warmer, photograph).boxes == ()
