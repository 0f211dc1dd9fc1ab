from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.starts.phase import PEAK_PX, correlation, peaks, tapered
from tests.photographs import NAMES, cut, photograph

SIZE = (200, 150)


def parts(name: str, x: int, y: int) -> tuple[np.ndarray, np.ndarray]:
    """Two windows of a photograph: the second begins (x, y) further right and down."""
    image = photograph(name)
    here = max(0, -x), max(0, -y)
    return (
        cut(image, SIZE, *here).astype(np.float32),
        cut(image, SIZE, here[0] + x, here[1] + y).astype(np.float32),
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("x", "y"), [(0, 0), (90, 0), (-110, 40), (30, -100), (-100, -70)])
def test_the_highest_peak_is_the_shift(name: str, x: int, y: int) -> None:
    # source(p + d) = target(p): target begins d further on.
    source, target = parts(name, x, y)
    (height, *shift), *_ = peaks(correlation(tapered(source, None), tapered(target, None)), 3)
    assert shift == [x, y]
    assert height > 6.0


def test_what_is_not_valid_has_no_say() -> None:
    source, target = parts("poster", 60, 20)
    for image in (source, target):
        image[40:110, 50:150] = 255.0  # the same in both, in the same place
    valid = np.ones(source.shape, np.bool_)
    valid[40:110, 50:150] = False
    (_, *shift), *_ = peaks(correlation(tapered(source, valid), tapered(target, valid)), 1)
    assert shift == [60, 20]
    assert not tapered(source, valid)[~valid].any()


def test_images_of_different_sizes() -> None:
    image = photograph("scan")
    source = cut(image, (300, 250), 40, 60).astype(np.float32)
    target = cut(image, (120, 140), 150, 100).astype(np.float32)
    (_, *shift), *_ = peaks(correlation(tapered(source, None), tapered(target, None)), 1)
    assert shift == [110, 40]


def test_peaks_keep_apart_and_come_in_order() -> None:
    surface = np.zeros((40, 60), np.float32)
    surface[3, 4], surface[4, 5], surface[30, 50], surface[39, 59] = 9.0, 8.0, 7.0, 6.0
    assert peaks(surface, 3) == [(9.0, 4, 3), (7.0, -10, -10), (6.0, -1, -1)]
    assert PEAK_PX >= 1
