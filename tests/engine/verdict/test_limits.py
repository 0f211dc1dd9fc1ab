from __future__ import annotations

import numpy as np
import pytest

from align_cli import align
from align_cli.engine.geometry.models import MODELS, describe
from align_cli.engine.options import LIMIT_RANGES, Options
from align_cli.engine.records import Agreement, Outcome, Quality, Status, Verdict
from align_cli.engine.verdict.limits import LIMITS, exceeded, within_limits
from tests.scenes import about, pair

SIZE = (120, 80)


def quality(zncc: float = 0.9, overlap: float = 0.7) -> Quality:
    agreement = Agreement(zncc, 0.1, 0.1, 0.2, 0.2)
    return Quality(agreement, agreement, overlap)


def parameters(matrix: np.ndarray, model: str = "affine") -> dict:
    return describe(matrix, MODELS[model], SIZE)


def linear(a: float, b: float, c: float, d: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    return about(SIZE, np.array([[a, b, x], [c, d, y], [0.0, 0.0, 1.0]]))


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return linear(c, -s, s, c)


def test_there_is_a_limit_for_each_option_and_no_more() -> None:
    assert [limit.option for limit in LIMITS] == list(LIMIT_RANGES)


@pytest.mark.parametrize(
    ("option", "matrix", "measured"),
    [
        ("max_shift", linear(1.0, 0.0, 0.0, 1.0, 3.0, -4.0), 5.0),
        ("max_rotation", turned(7.0), 7.0),
        ("max_rotation", turned(-7.0), 7.0),
        ("max_scale", linear(1.25, 0.0, 0.0, 1.0), 1.25),
        ("max_scale", linear(1.0, 0.0, 0.0, 0.8), 1.25),
        ("max_shear", linear(1.0, 0.1, 0.0, 1.0), 0.1),
        ("max_shear", linear(1.0, -0.1, 0.0, 1.0), 0.1),
    ],
)
def test_more_than_the_limit_exceeds_it(option: str, matrix: np.ndarray, measured: float) -> None:
    found = parameters(matrix)
    assert exceeded(Options(**{option: measured + 1e-9}), found, quality()) == ()
    (words,) = exceeded(Options(**{option: measured - 0.004}), found, quality())
    assert f"{measured:.4g}" in words
    assert f"{measured - 0.004:g}" in words
    others = {name: span[1] for name, span in LIMIT_RANGES.items() if name.startswith("max")}
    del others[option]
    assert exceeded(Options(**{n: min(v, 1e6) for n, v in others.items()}), found, quality()) == ()


@pytest.mark.parametrize(("option", "value"), [("min_overlap", 0.7), ("min_score", 0.9)])
def test_less_than_needed_exceeds_it(option: str, value: float) -> None:
    found = parameters(np.eye(3))
    assert exceeded(Options(**{option: value}), found, quality()) == ()
    (words,) = exceeded(Options(**{option: value + 0.01}), found, quality())
    assert f"{value:g}, at least {value + 0.01:g} required" in words
    assert exceeded(Options(**{option: 0.0}), found, quality(np.nan, np.nan))


def test_what_exceeds_by_little_is_told_from_the_limit() -> None:
    found = parameters(linear(1.0, 0.0, 0.0, 1.0, 3.00002))
    assert exceeded(Options(max_shift=3.0), found, quality()) == (
        "shifted by 3.00002 px, at most 3 px allowed",
    )


@pytest.mark.parametrize("model", MODELS)
def test_what_a_model_does_not_have_is_within(model: str) -> None:
    tight = Options(max_rotation=0.0, max_scale=1.0, max_shear=0.0)
    assert exceeded(tight, parameters(np.eye(3), model), quality()) == ()


def test_an_answer_that_exceeds_limits_is_failed_and_names_them_all() -> None:
    options = Options(max_shift=1.0, min_score=0.95)
    found = parameters(linear(1.0, 0.0, 0.0, 1.0, 3.0, -4.0))
    for outcome in (Outcome(Status.CONVERGED, "yes"), Outcome(Status.SINGULAR, "?", ("?",), True)):
        end = within_limits(outcome, options, found, quality())
        assert end.status is Status.LIMIT_EXCEEDED
        assert end.verdict is Verdict.FAILED
        assert len(end.reasons) == 2
        assert end.sentence.startswith("the transform is outside the limits: ")
        assert all(reason in end.sentence for reason in end.reasons)
        assert end.sentence.endswith(f": {end.advice}")
        assert within_limits(outcome, Options(), found, quality()) is outcome
    failed = Outcome(Status.DIVERGED, "no", ("no",))
    assert within_limits(failed, options, found, quality()) is failed


def test_limits_hold_for_an_alignment() -> None:
    images = pair("rigid", seed=3)
    found = align(images.source, images.target, model="rigid", max_rotation=0.01)
    assert found.outcome.status is Status.LIMIT_EXCEEDED
    assert not found.outcome.aligned
    assert "at most 0.01 allowed" in found.outcome.sentence
    assert found.uncertainty is None
    assert align(images.source, images.target, model="rigid", max_rotation=20).outcome.aligned


def test_a_limit_has_no_say_in_the_choice_of_the_model() -> None:
    truth = turned(0.4)
    images = pair(truth, size=SIZE, noise=0.01)
    chosen = align(images.source, images.target, model="auto")
    assert chosen.outcome.aligned
    assert chosen.model == "rigid"
    # A shift alone fits well enough to be called aligned, and would hide the turn.
    assert align(images.source, images.target, model="translation").outcome.aligned
    found = align(images.source, images.target, model="auto", max_rotation=0.2)
    assert found.model == "rigid"
    assert found.outcome.status is Status.LIMIT_EXCEEDED
    assert found.uncertainty is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_shift", -1.0),
        ("max_shift", np.inf),
        ("max_rotation", 181.0),
        ("max_scale", 0.99),
        ("max_shear", np.nan),
        ("min_overlap", 1.01),
        ("min_score", -1.01),
    ],
)
def test_limits_without_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        Options(**{name: value})
