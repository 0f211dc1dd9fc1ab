"""What stays with the sensor loses its vote, and what rests on it alone is doubtful."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from align_cli.engine.aligner import Aligner, align
from align_cli.engine.check import check
from align_cli.engine.displacements.evidence import gather_evidence
from align_cli.engine.displacements.views import IntensityView
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.fixed_pattern import FixedPattern
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.search import sensor
from align_cli.engine.search.attempt import Attempt, assess_descent, run_attempt
from align_cli.engine.search.loop import search as unspied
from align_cli.engine.search.sensor import LEAST_STATIC_SHARE, is_static, pattern_outcome
from align_cli.engine.verdict.assessment import LOG10_NFA_DOUBTFUL
from tests.engine.displacements.pairs import shift
from tests.engine.search.similarities import TRUTH, intensity
from tests.photographs import NAMES, cut, photograph


def field_of(moved: np.ndarray, matched: np.ndarray | None = None) -> Any:
    """Displacements, (n, 2), of tiles along a line; all that ``is_static`` reads."""
    count = len(moved)
    position = np.column_stack([20.0 * np.arange(count), np.full(count, 50.0)])
    known = np.ones(count, np.bool_) if matched is None else matched
    return SimpleNamespace(
        field=SimpleNamespace(position=position, displacement=moved, matched=known)
    )


@pytest.mark.parametrize("share", [0.05, 0.1, 0.15, 0.5])
def test_more_than_a_tenth_of_the_tiles_must_stay(share: float) -> None:
    far_share = np.zeros((20, 2))
    still = round(20 * share)
    far_share[still:] = [0.0, 9.0]
    assert is_static(np.eye(3), field_of(far_share)) is (share > LEAST_STATIC_SHARE)
    # Where the answer has moved, those stay that are found back where they were.
    assert is_static(shift(0.0, -9.0), field_of(far_share)) is (1.0 - share > LEAST_STATIC_SHARE)


@pytest.mark.parametrize(("px", "at_rest"), [(0.9, True), (1.1, False), (3.0, False)])
def test_a_tile_stays_to_a_pixel(px: float, at_rest: bool) -> None:
    assert is_static(np.eye(3), field_of(np.tile([px, 0.0], (20, 1)))) is at_rest


def test_only_tiles_with_a_match_are_asked_and_without_any_all_may_stay() -> None:
    far_share = np.zeros((20, 2))
    far_share[:10] = [0.0, 9.0]
    first = np.arange(20) < 10
    assert not is_static(np.eye(3), field_of(far_share, first))
    assert is_static(np.eye(3), field_of(far_share, ~first))
    assert is_static(np.eye(3), field_of(far_share, np.zeros(20, np.bool_)))
    assert is_static(np.eye(3), None)


@pytest.mark.parametrize("solved", [False, True])
def test_what_may_rest_on_the_sensor_is_doubtful(solved: bool) -> None:
    found = pattern_outcome(ISOLATED, "the rest does not follow", "rigid", solved=solved)
    assert found.doubtful
    assert found.reasons == (
        "the match may rest on a fixed pattern (isolated pixels at the same pixels of both "
        "images), and the rest does not follow",
    )
    # Where a transform was given there are no masks to leave out, but another to be found.
    assert ("--roi" in found.sentence) is solved


def windows_at(*places: tuple[str, int, int], noise: float = 2.0) -> list[np.ndarray]:
    """Windows of photographs, with noise of their own."""
    return [
        cut(photograph(name), (300, 220), x, y, noise=noise, seed=seed)
        for seed, (name, x, y) in enumerate(places)
    ]


def solved_from(images: list[np.ndarray], begin: np.ndarray, threads: Threads) -> Attempt:
    seen = intensity(*images, threads, "translation")
    return run_attempt(seen, "identity", begin, used=len(seen.task.pair.levels))


ISOLATED = FixedPattern(isolated=np.eye(220, 300, dtype=np.bool_))
STILL_PAIR = (("poster", 0, 0), ("poster", 0, 0))
MOVED_PAIR = (("poster", 0, 0), ("poster", 60, 40))
UNLIKE_PAIR = (("scan", 0, 0), ("poster", 0, 0))


def blank_windows() -> list[np.ndarray]:
    """Noise, and a single edge, in which no tile tells anything."""
    rng = np.random.default_rng(0)
    return [np.rint(128.0 + rng.normal(0.0, 2.0, (220, 300))).astype(np.uint8) for _ in range(2)]


def test_an_answer_is_refuted_where_what_is_left_could_tell_and_does_not_follow() -> None:
    with Threads(1) as threads:
        first = solved_from(windows_at(*STILL_PAIR), np.eye(3), threads)
        assert first.aligned
        pairs = [
            intensity(*images, threads, "translation").task.pair
            for images in (
                windows_at(*UNLIKE_PAIR),
                windows_at(*MOVED_PAIR),
                windows_at(*STILL_PAIR),
                blank_windows(),
            )
        ]
        # Three tiles that follow are too few to tell anything, and nothing against it.
        few = blank_windows()
        for image in few:
            image[80:100, 120:140] = photograph("poster")[100:120, 100:120]
        pairs.append(intensity(*few, threads, "translation").task.pair)
    rich = replace(first, similarity=first.similarity.with_model(MODELS["homography"]))
    refuted = [sensor._refuted(rich.similarity.with_pair(pair), rich) for pair in pairs]
    assert refuted == [True, True, False, False, False]
    evidence = gather_evidence(IntensityView(pairs[-1], 1.0), first.warp, parameters=8, tests=1)
    assert evidence is not None
    assert evidence.log10_false_alarms > LOG10_NFA_DOUBTFUL


def test_nothing_has_moved_if_hardly_a_tile_has_and_the_rest_agrees() -> None:
    with Threads(1) as threads:
        still, moved = (
            solved_from(windows_at(*places), begin, threads)
            for places, begin in ((STILL_PAIR, np.eye(3)), (MOVED_PAIR, inverse(TRUTH)))
        )
        rests = {
            name: assess_descent(
                intensity(*images, threads, "translation"), "identity", still.descent, np.eye(3)
            )
            for name, images in (
                ("still", windows_at(*STILL_PAIR)),
                ("moved", windows_at(*MOVED_PAIR)),
                ("blank", blank_windows()),
            )
        }
    assert still.aligned
    assert moved.aligned
    assert [name for name, rest in rests.items() if sensor._unmoved(still, rest)] == ["still"]
    assert not sensor._unmoved(moved, moved.assessment)
    doubted = replace(still.assessment, outcome=pattern_outcome(ISOLATED, "it may", "rigid"))
    assert not sensor._unmoved(replace(still, assessment=doubted), rests["still"])
    told = rests["still"].displacements
    assert told is not None
    for changes in ({"stationary": told.sampled // 3}, {"explained_by": "translation"}):
        other = replace(rests["still"], displacements=replace(told, **changes))
        assert not sensor._unmoved(still, other)


def screen(button: tuple[int, int, int]) -> np.ndarray:
    """A page of text on white, as two screenshots of it show it, with a button."""
    page = np.full((520, 640, 3), 255, np.uint8)
    rng = np.random.default_rng(5)
    for y in range(30, 440, 24):
        words = " ".join("".join(rng.choice(list("aekmnstx"), 5)) for _ in range(7))
        cv2.putText(page, words, (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 30, 30), 1, 16)
    cv2.rectangle(page, (440, 460), (600, 500), button, -1)
    cv2.putText(page, "Continue", (470, 486), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 1, 16)
    return page


def test_paper_that_lies_unmoved_on_itself_is_no_pattern_of_the_sensor() -> None:
    found = align(screen((30, 120, 40)), screen((150, 40, 60)))
    assert found.outcome.aligned
    assert found.displacements is not None
    assert found.displacements.fixed_pattern is None
    assert found.quality.overlap > 0.99
    np.testing.assert_allclose(found.source_to_target, np.eye(3), atol=0.02)


@pytest.mark.parametrize(
    ("clean", "doubtful"),
    [(UNLIKE_PAIR, True), (STILL_PAIR, False), (None, False)],
)
def test_an_answer_rests_on_the_sensor_where_the_rest_could_tell_and_does_not_follow(
    clean: tuple[tuple[str, int, int], ...] | None,
    doubtful: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = windows_at(*STILL_PAIR)
    with Threads(1) as threads:
        images = blank_windows() if clean is None else windows_at(*clean)
        without = intensity(*images, threads, "translation").task.pair
    searched: list[int] = []

    def search(similarities: Any, *arguments: Any) -> Any:
        searched.append(len(similarities))
        return unspied(similarities, *arguments)

    monkeypatch.setattr(sensor, "search", search)
    monkeypatch.setattr(sensor, "cleaned_pair", lambda *_, **__: (without, ISOLATED))
    found = Aligner(target, model="translation").align(source)
    # Once more, by grey values, where the rest could tell anything and does not agree.
    assert searched == [1] * (clean is UNLIKE_PAIR)
    assert found.outcome.doubtful is doubtful
    assert found.outcome.aligned is not doubtful
    assert ("rest on a fixed pattern" in found.outcome.sentence) is doubtful


@pytest.mark.parametrize(("places", "looked"), [(STILL_PAIR, True), (MOVED_PAIR, False)])
def test_nothing_stays_with_the_sensor_where_nearly_all_moves(
    places: tuple[tuple[str, int, int], ...], looked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[bool] = []

    def cleaned(*_: object, quickly: bool) -> None:
        tested.append(quickly)

    monkeypatch.setattr(sensor, "cleaned_pair", cleaned)
    source, target = windows_at(*places)
    found = Aligner(target, model="translation").align(source, init=TRUTH if not looked else "auto")
    assert found.outcome.aligned
    assert tested == [True] * looked


def test_what_stays_has_no_vote_on_edges_either(monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[bool] = []
    monkeypatch.setattr(sensor, "cleaned_pair", lambda *_, **__: tested.append(True))
    source, target = windows_at(*STILL_PAIR)
    found = Aligner(target, model="translation", similarity="gradient").align(source)
    assert found.outcome.aligned
    assert found.similarity == "gradient"
    assert tested == [True]


@pytest.fixture
def clean_pair_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left without a fixed pattern shows another place than the pair that does not move."""
    with Threads(1) as threads:
        without = intensity(*windows_at(*MOVED_PAIR), threads, "translation").task.pair
    monkeypatch.setattr(sensor, "cleaned_pair", lambda *_, **__: (without, ISOLATED))


@pytest.mark.parametrize("similarity", ["intensity", "gradient"])
@pytest.mark.parametrize("holds", [True, False])
def test_another_motion_counts_where_it_outvotes_the_edges_of_what_stays(
    holds: bool, similarity: str, clean_pair_that_moves: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensor, "holds_with_edges", lambda *_: holds)
    source, target = windows_at(*STILL_PAIR)
    found = Aligner(target, model="translation", similarity=similarity).align(source)
    assert found.outcome.aligned
    assert found.similarity == similarity
    expected = (60.0, 40.0) if holds else (0.0, 0.0)
    np.testing.assert_allclose(np.abs(found.source_to_target[:2, 2]), expected, atol=0.05)
    assert found.displacements is not None
    assert (found.displacements.fixed_pattern is not None) is holds
    given = check(source, target, np.eye(3), model="translation")
    assert given.outcome.doubtful is holds
    assert given.outcome.aligned is not holds
    assert ("another transform matches" in given.outcome.sentence) is holds


def test_a_given_transform_under_which_nothing_stays_rests_on_no_sensor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tested: list[bool] = []
    monkeypatch.setattr(sensor, "cleaned_pair", lambda *_, **__: tested.append(True))
    found = check(*windows_at(*MOVED_PAIR), TRUTH, model="translation")
    assert found.outcome.aligned
    assert tested == []


def framed(name: str, seed: int) -> np.ndarray:
    """A photograph in a frame with a caption, the same whatever it holds, each with its noise."""
    rng = np.random.default_rng(5)
    rough = sum(
        side**0.7 * cv2.resize(rng.normal(size=(420 // side + 3, 560 // side + 3)), (560, 420))
        for side in (1, 2, 4, 8, 16, 32, 64)
    )
    frame = np.clip(30.0 * rough / rough.std() + 128.0, 0, 255)
    image = cv2.resize(photograph(name), (560, 420)).astype(np.float64)
    image = image if image.ndim == 2 else image.mean(axis=2)
    shared = np.ones(image.shape, np.bool_)
    shared[24:-24, 24:-24] = False
    shared[40:90, 40:120] = True
    noise = np.random.default_rng(seed).normal(0.0, 1.0, image.shape)
    return np.clip(np.where(shared, frame, image) + noise, 0, 255).astype(np.uint8)


def test_different_pictures_in_one_frame_are_not_aligned() -> None:
    names = NAMES[:2]
    source, target = framed(names[0], 1), framed(names[1], 2)
    found = Aligner(target, similarity="auto").align(source)
    assert not found.outcome.aligned
    assert "at the same pixels of both images" in found.outcome.sentence
    checked = check(source, target, np.eye(3), similarity="auto")
    assert not checked.outcome.aligned
    # One picture in it is, though it lies there too.
    again = Aligner(target, similarity="auto").align(framed(names[1], 3))
    assert again.outcome.aligned
