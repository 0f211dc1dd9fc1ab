"""A small part of a large picture is believed where it fits far better than in any other place."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from align_cli.engine.displacements.level_pair import LevelPair
from align_cli.engine.displacements.rival_positions import (
    FEWEST_PEAKS,
    LEAST_EXCESS,
    MOST_PEAKS,
    _log10_expected,
    rival_positions,
)
from tests.engine.displacements.pairs import drawn, level_pair, noisy, shift, speckle

SIZE = (320, 240)
SMALL = (40, 36)
AT = (130, 90)
SCENE = speckle(1)


def inside(x: int, y: int) -> np.ndarray:
    """(240, 320) bool: where the small picture lies, but for its outermost pixels."""
    found = np.zeros(SIZE[::-1], np.bool_)
    found[y + 1 : y + SMALL[1] - 1, x + 1 : x + SMALL[0] - 1] = True
    return found


def log10_other_places(pair: LevelPair, parameters: int) -> float | None:
    found = rival_positions(pair, parameters)
    return None if found is None else found.log10_false_alarms


def crop_at(x: int, y: int, *, seed: int = 1, sigma: float = 0.1) -> float | None:
    """A small source that belongs at ``AT`` of a target, laid at (x, y)."""
    target = noisy(drawn(SCENE, SIZE), sigma, 1)
    source = noisy(drawn(speckle(seed), SMALL, shift(*AT)), sigma, 2)
    pair = level_pair(source, target, warp=shift(-x, -y), inside=inside(x, y))
    return log10_other_places(pair, 2)


def test_a_crop_where_it_belongs_is_no_accident_and_elsewhere_it_may_be() -> None:
    right = crop_at(*AT)
    assert right is not None
    assert right < -3.0
    for x, y in ((60, 40), (200, 150), (AT[0] + 6, AT[1])):
        wrong = crop_at(x, y)
        assert wrong is None or wrong > 0.0
    assert crop_at(AT[0] + 1, AT[1]) == pytest.approx(right, abs=1.0)  # to a pixel


def test_the_other_way_round_the_source_has_the_places() -> None:
    source = noisy(drawn(SCENE, SIZE), 0.1, 1)
    target = noisy(drawn(SCENE, SMALL, shift(*AT)), 0.1, 2)
    known = np.ones(SMALL[::-1], np.bool_)
    right = log10_other_places(level_pair(source, target, warp=shift(*AT), inside=known), 2)
    assert right is not None
    assert right < -3.0
    wrong = log10_other_places(level_pair(source, target, warp=shift(40, 30), inside=known), 2)
    assert wrong is None or wrong > 0.0


@pytest.mark.parametrize("seed", range(2, 12))
def test_of_unrelated_pictures_the_best_place_is_one_of_many(seed: int) -> None:
    target = noisy(drawn(SCENE, SIZE), 0.1, 1)
    source = noisy(drawn(speckle(seed), SMALL, shift(*AT)), 0.1, 2)
    found = [
        log10_other_places(level_pair(source, target, warp=shift(-x, -y), inside=inside(x, y)), 0)
        for x in range(5, 270, 23)
        for y in range(5, 190, 23)
    ]
    assert min(each for each in found if each is not None) > -1.5


def test_more_noise_and_more_parameters_are_less_evidence() -> None:
    clear, noisier = crop_at(*AT, sigma=0.1), crop_at(*AT, sigma=1.0)
    assert clear is not None
    assert noisier is not None
    assert clear < noisier - 2.0
    target = noisy(drawn(SCENE, SIZE), 0.5, 1)
    source = noisy(drawn(SCENE, SMALL, shift(*AT)), 0.5, 2)
    pair = level_pair(source, target, warp=shift(-AT[0], -AT[1]), inside=inside(*AT))
    few, many = log10_other_places(pair, 2), log10_other_places(pair, 80)
    assert few is not None
    assert many is None or few < many - 0.5


def test_what_is_not_known_is_no_other_place() -> None:
    target = noisy(drawn(SCENE, SIZE), 0.1, 1)
    source = noisy(drawn(SCENE, SMALL, shift(*AT)), 0.1, 2)
    pair = level_pair(source, target, warp=shift(-AT[0], -AT[1]), inside=inside(*AT))
    assert rival_positions(pair, 2) is not None
    assert rival_positions(replace(pair, target_known=inside(*AT)), 2) is None


def test_where_the_overlap_is_most_of_both_there_are_no_other_places() -> None:
    image = drawn(SCENE, SIZE)
    assert rival_positions(level_pair(image, image), 2) is None
    nowhere = level_pair(image, image, inside=np.zeros(SIZE[::-1], np.bool_))
    assert rival_positions(nowhere, 2) is None


def test_every_place_of_a_lattice_is_as_good() -> None:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    lattice = (np.sin(2 * np.pi * x / 10.0) + np.sin(2 * np.pi * y / 10.0)).astype(np.float32)
    source = lattice[AT[1] : AT[1] + SMALL[1], AT[0] : AT[0] + SMALL[0]]
    pair = level_pair(
        noisy(source, 0.1, 2),
        noisy(lattice, 0.1, 1),
        warp=shift(-AT[0], -AT[1]),
        inside=inside(*AT),
    )
    found = log10_other_places(pair, 2)
    assert found is None or found > 0.0


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_where_the_same_thing_is_shown_again_there_is_a_rival(copies: int) -> None:
    target = drawn(SCENE, SIZE)
    source = target[AT[1] : AT[1] + SMALL[1], AT[0] : AT[0] + SMALL[0]].copy()
    for x, y in ((10, 20), (250, 180))[:copies]:
        target[y : y + SMALL[1], x : x + SMALL[0]] = source
    pair = level_pair(
        noisy(source, 0.1, 2), noisy(target, 0.1, 1), warp=shift(-AT[0], -AT[1]), inside=inside(*AT)
    )
    found = rival_positions(pair, 2)
    assert found is not None
    assert found.log10_false_alarms < -2.0  # so that it would be believed
    assert found.rival is (copies > 0)


def test_the_number_of_places_that_are_as_good() -> None:
    peaks = np.linspace(1.0, 0.0, 61)
    k = 20  # a third, which is fewer than the most
    threshold = peaks[k]
    excess = float((peaks[:k] - threshold).mean())
    z = 3.0
    expected = math.log10(k) - k * math.log10(1.0 + (z - threshold) / (k * excess))
    assert _log10_expected(z, peaks) == pytest.approx(expected)
    assert _log10_expected(threshold - 0.1, peaks) == pytest.approx(math.log10(k))
    many = np.linspace(1.0, 0.0, 4 * MOST_PEAKS)
    assert _log10_expected(-1.0, many) == pytest.approx(math.log10(MOST_PEAKS))
    assert _log10_expected(z, peaks[: 3 * FEWEST_PEAKS]) is not None
    assert _log10_expected(z, peaks[: 3 * FEWEST_PEAKS - 1]) is None
    # All alike: their excess is not believed to be none.
    alike = np.full(61, 1.0)
    least = math.log10(k) - k * math.log10(1.0 + 2.0 / (k * LEAST_EXCESS))
    assert _log10_expected(z, alike) == pytest.approx(least)
