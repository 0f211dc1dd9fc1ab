"""The warped source as it is shown: what agrees looks the same, whatever the exposure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from align_cli import Alignment, align, check
from align_cli.report.page.laid import warped_source
from align_cli.report.page.stretch import shown, stretch_of
from tests.scenes import render, textured

SIZE = (160, 120)
GREY = 0.1 + 0.6 * np.clip(render(textured(), SIZE), 0, 1)
FALLING = 1.25 - 0.3 * np.linspace(0.0, 1.0, SIZE[0]) ** 2
DARKER_BELOW = 1.25 - 0.3 * np.linspace(0.0, 1.0, SIZE[1])[:, np.newaxis] ** 2


def of_kind(values: NDArray[np.float64], kind: str) -> NDArray[Any]:
    white = {"uint8": 255, "uint16": 65535}.get(kind.split(maxsplit=1)[0], 1)
    grey = np.asarray(values * white if white == 1 else np.rint(values * white))
    image = grey.astype(kind.split(maxsplit=1)[0])
    if "colour" in kind:
        image = np.dstack([image] * 3)
    if "alpha" in kind:
        opaque = np.full(image.shape[:2], white, image.dtype)
        opaque[:, :20] = 0
        image = np.dstack([image, opaque])
    return image


def apart(found: Alignment, source: NDArray[Any], target: NDArray[Any]) -> float:
    """Mean distance of warped source and target as shown, grey levels."""
    seen = warped_source(found, source, target)
    expected = shown(target, stretch_of(target)).colours
    if expected.ndim < seen.colours.ndim:
        expected = expected[..., np.newaxis]
    elif seen.colours.ndim < expected.ndim:
        return apart(found, np.dstack([source] * 3), target)
    there = slice(None) if seen.opaque is None else seen.opaque == 255
    return float(np.abs(seen.colours.astype(float) - expected)[there].mean())


@pytest.mark.parametrize("target_kind", ["uint8", "uint16 colour", "float32"])
@pytest.mark.parametrize(
    "source_kind", ["uint8", "uint8 colour", "uint8 colour alpha", "uint16", "float32", "float64"]
)
def test_another_exposure_is_shown_as_the_target(source_kind: str, target_kind: str) -> None:
    source, target = of_kind(1.3 * GREY + 0.03, source_kind), of_kind(GREY, target_kind)
    found = align(source, target, model="translation")
    assert found.outcome.aligned
    assert apart(found, source, target) < 1.0
    without = align(source, target, model="translation", photometric=False)
    seen, as_it_was = warped_source(without, source, target), without.warp(source, force=True)
    assert_array_equal(seen.colours, shown(as_it_was, stretch_of(source)).colours)


@pytest.mark.parametrize("light", [FALLING, DARKER_BELOW], ids=["across", "down"])
def test_a_light_that_falls_off_is_corrected_where_it_does(light: NDArray[np.float64]) -> None:
    source, target = of_kind(light * GREY, "uint8 colour"), of_kind(GREY, "uint8 colour")
    found = align(source, target, model="translation")
    assert found.illumination is not None
    assert found.illumination.factor[1:].any()
    assert apart(found, source, target) < 1.0


def test_a_dark_target_is_stretched_and_the_source_with_it() -> None:
    source, target = of_kind(GREY, "uint16"), of_kind(0.02 * GREY, "uint16")
    found = align(source, target, model="translation")
    assert np.ptp(shown(target, stretch_of(target)).colours) > 200
    assert apart(found, source, target) < 1.5


def test_what_is_not_finite_is_nothing() -> None:
    source, target = of_kind(1.3 * GREY, "float32"), of_kind(GREY, "float32")
    source[40:60, 40:60] = np.nan
    found = align(source, target, model="translation")
    seen = warped_source(found, source, target)
    assert seen.opaque is not None
    assert not seen.opaque[45:55, 45:55].any()
    shifted = check(source, target, [[1, 0, 12], [0, 1, 0], [0, 0, 1]])
    seen = warped_source(shifted, source, target)
    assert seen.opaque is not None
    assert not seen.opaque[:, :12].any()
    assert not seen.opaque[45:55, 57:67].any()
    assert apart(found, source, target) < 1.0


def test_the_light_of_a_failure_is_not_believed() -> None:
    rng = np.random.default_rng(0)
    source, target = (rng.integers(0, 200, (120, 160)).astype(np.uint8) for _ in range(2))
    found = align(source, target, model="translation")
    assert not found.outcome.vouched
    assert_array_equal(warped_source(found, source, target).colours, found.warp(source, force=True))
