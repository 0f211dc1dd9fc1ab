"""Each objection to an answer is reached, and each threshold bites on both of its sides."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from align_cli.engine.displacements.evidence import Evidence, gather_evidence
from align_cli.engine.displacements.views import IntensityView
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.geometry.propagation import uncertainty_of
from align_cli.engine.images.periodicity import Period
from align_cli.engine.records import LevelRecord, Outcome, Status, Uncertainty, Verdict
from align_cli.engine.verdict import assessment
from align_cli.engine.verdict.assessment import (
    MOST_UNEXPLAINED,
    Assessment,
    Estimate,
    assess,
    prefer_orientations,
)
from tests.engine.displacements.pairs import FINE_SIZE, drawn, noisy, shift, speckle, view
from tests.engine.displacements.test_isotropy import sunburst
from tests.scenes import about

SCENE = speckle(1, spread=3.0)


@cache
def right() -> IntensityView:
    return seen(np.eye(3))


def seen(moved: np.ndarray, seed: int = 1, noise: float = 0.05) -> IntensityView:
    """A pair whose source shows at x what the target has at ``moved`` x."""
    clean = drawn(speckle(seed, spread=3.0), FINE_SIZE, moved)
    return view(noisy(clean, noise, 1), noisy(drawn(SCENE, FINE_SIZE), noise, 2))


def answer(
    model: str = "homography",
    *,
    status: Status = Status.CONVERGED,
    level: int = 0,
    step: float = 1e-4,
    **more: Any,
) -> Estimate:
    last = LevelRecord(level, *FINE_SIZE, 9, step, 0.01, status)
    known = {"overlap": 0.42, "noise": None, "moved_px": 0.0, "start_given": False}
    known |= {"warp": np.eye(3), "parameters": MODELS[model].size, **more}
    return Estimate(model=MODELS[model], last=last, **known)


def judged(
    of: IntensityView | None = None, given: Estimate | None = None, **more: Any
) -> Assessment:
    more = {"period": None, **more}
    return assess(right() if of is None else of, answer() if given is None else given, **more)


@pytest.fixture
def evidence_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes what the tiles of a right pair say."""

    def change(**changes: Any) -> None:
        def changed(*args: Any, **settings: Any) -> Evidence:
            found = gather_evidence(*args, **settings)
            assert found is not None
            return replace(found, **changes)

        monkeypatch.setattr(assessment, "gather_evidence", changed)

    return change


def statuses(found: Assessment) -> tuple[Status, Verdict]:
    return found.outcome.status, found.outcome.verdict


def test_a_right_answer_is_aligned() -> None:
    found = judged()
    assert statuses(found) == (Status.CONVERGED, Verdict.ALIGNED)
    assert found.conclusive
    assert found.nearly_all
    assert found.log10_false_alarms < -4.0
    assert found.displacements is not None
    assert found.displacements.within_1_px == 1.0
    assert found.displacements.tiles > 20
    assert found.uncertainty is not None
    assert found.uncertainty.mean_px < 0.1


@pytest.mark.parametrize(
    "status", [Status.SINGULAR, Status.DIVERGED, Status.TOO_LITTLE_OVERLAP, Status.ITERATION_LIMIT]
)
def test_where_the_solver_found_nothing_no_tile_is_asked(status: Status) -> None:
    found = judged(given=answer(status=status, step=2.0))
    assert statuses(found) == (status, Verdict.FAILED)
    assert found.displacements is None
    assert found.uncertainty is None
    assert found.log10_false_alarms == math.inf
    assert not found.conclusive
    if status in (Status.SINGULAR, Status.TOO_LITTLE_OVERLAP):
        assert "42%" in found.outcome.sentence


@pytest.mark.parametrize(
    ("level", "step", "verdict"),
    [
        (0, 0.3, Verdict.DOUBTFUL),
        (0, 0.31, Verdict.FAILED),
        (1, 0.15, Verdict.DOUBTFUL),
        (1, 0.16, Verdict.FAILED),
        (2, 0.3, Verdict.FAILED),
    ],
)
def test_a_solver_that_was_still_moving_has_an_answer_if_by_little(
    level: int, step: float, verdict: Verdict
) -> None:
    found = judged(given=answer(status=Status.ITERATION_LIMIT, level=level, step=step))
    assert statuses(found) == (Status.ITERATION_LIMIT, verdict)
    assert (found.displacements is not None) == (verdict is Verdict.DOUBTFUL)
    assert not found.conclusive
    assert f"{step:g} px" in found.outcome.sentence


def test_without_any_texture_it_has_failed() -> None:
    flat = np.zeros(FINE_SIZE[::-1])
    found = judged(view(noisy(flat, 0.05, 1), noisy(flat, 0.05, 2)))
    assert statuses(found) == (Status.SINGULAR, Verdict.FAILED)
    assert "texture" in found.outcome.sentence
    assert found.displacements is None


def test_other_content_has_failed_and_nothing_else_is_said_of_it() -> None:
    found = judged(seen(np.eye(3), seed=9))
    assert statuses(found) == (Status.NO_AGREEMENT, Verdict.FAILED)
    assert found.displacements is not None
    assert found.log10_false_alarms > -1.0
    period = Period((30.0, 0.0), 1.0)
    more = judged(seen(np.eye(3), seed=9), period=period)
    assert not any("is periodic" in reason for reason in more.outcome.reasons)


@pytest.mark.parametrize(
    ("alarms", "verdict"),
    [
        (-2.0, Verdict.ALIGNED),
        (-2.0 + 1e-6, Verdict.DOUBTFUL),
        (-1.0, Verdict.DOUBTFUL),
        (-1.0 + 1e-6, Verdict.FAILED),
        (5.0, Verdict.FAILED),
    ],
)
def test_the_number_of_false_alarms(
    evidence_with: Callable[..., None], alarms: float, verdict: Verdict
) -> None:
    evidence_with(log10_false_alarms=alarms)
    found = judged()
    assert found.outcome.verdict is verdict
    assert found.log10_false_alarms == alarms
    if verdict is not Verdict.ALIGNED:
        assert found.outcome.status is Status.NO_AGREEMENT
        assert not found.conclusive
        assert not found.nearly_all
        share = 10.0 ** min(alarms, 3.0)
        assert f"false alarms {share:.2g}, at most 0.01 allowed" in found.outcome.sentence


@pytest.mark.parametrize(
    ("stationary", "needed"), [(80, -2.0), (50, -2.0), (40, -2.4), (25, -3.0), (0, -4.0)]
)
@pytest.mark.parametrize("aligned", [True, False])
def test_where_fewer_than_half_of_the_tiles_fit_more_evidence_is_needed(
    evidence_with: Callable[..., None],
    stationary: int,
    needed: float,
    aligned: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assessment, "share_at_same_pixel", lambda *_: 0.0)
    alarms = needed - 1e-6 if aligned else needed + 1e-6
    evidence_with(log10_false_alarms=alarms, tested=100, stationary=stationary)
    found = judged()
    assert found.outcome.aligned is aligned
    if not aligned:
        assert statuses(found) == (Status.NO_AGREEMENT, Verdict.DOUBTFUL)
        assert f"only {stationary} of 100 textured tiles" in found.outcome.sentence
        assert f"at most {10.0**needed:.2g} allowed" in found.outcome.sentence


@pytest.mark.parametrize(
    ("follow", "verdict"),
    [
        (10, Verdict.ALIGNED),
        (9, Verdict.DOUBTFUL),
        (5, Verdict.DOUBTFUL),
        (4, Verdict.FAILED),
        (0, Verdict.FAILED),
    ],
)
def test_half_of_what_finds_a_match_must_follow(
    evidence_with: Callable[..., None], follow: int, verdict: Verdict
) -> None:
    known = judged()
    assert known.displacements is not None
    index = np.arange(len(known.displacements.field))
    evidence_with(distinct=index < 20, inlier=index < follow)
    found = judged()
    assert found.outcome.verdict is verdict
    if verdict is not Verdict.ALIGNED:
        assert found.outcome.status is Status.SECOND_MOTION
        assert (
            f"the inlier fraction of the matched texture is only {follow / 20:.0%}"
            in found.outcome.sentence
        )
        assert "displaced by at most 2 px" in found.outcome.sentence
        assert "--roi" in found.outcome.sentence


def test_what_coarser_levels_find_must_follow_too() -> None:
    # Most of the scene moves beyond the reach of the finest level's windows.
    still, moved = (
        noisy(drawn(SCENE, FINE_SIZE, each), 0.05, 1) for each in (np.eye(3), shift(31.0, -22.0))
    )
    both = still.copy()
    both[:, 120:] = moved[:, 120:]
    found = judged(view(both, noisy(drawn(SCENE, FINE_SIZE), 0.05, 2)), answer("rigid"))
    assert not found.outcome.aligned
    assert found.outcome.status is Status.SECOND_MOTION


def test_a_model_that_is_too_simple_is_told_so_though_little_follows() -> None:
    grown = about(FINE_SIZE, np.diag([1.06, 1.06, 1.0]))
    found = judged(seen(grown), answer("rigid"))
    assert statuses(found) == (Status.MODEL_TOO_SIMPLE, Verdict.DOUBTFUL)
    assert "is explained by the similarity model" in found.outcome.sentence
    assert "-m similarity" in found.outcome.sentence


def test_few_tiles_are_told_to_be_few() -> None:
    clean = drawn(speckle(1, spread=3.0), (40, 40))
    found = judged(view(noisy(clean, 0.05, 1), noisy(clean, 0.05, 2)), answer("homography"))
    assert found.outcome.status is Status.NO_AGREEMENT
    assert "too few to tell a true match from a chance match" in found.outcome.sentence
    assert "larger images" in found.outcome.sentence


def test_where_the_source_covers_nothing_it_says_so() -> None:
    found = judged(given=answer(warp=shift(5000.0, 0.0), overlap=0.0))
    assert statuses(found) == (Status.TOO_LITTLE_OVERLAP, Verdict.FAILED)
    assert "the source and the target do not overlap" in found.outcome.sentence


def test_without_any_match_nothing_says_that_it_does_not_follow(
    evidence_with: Callable[..., None],
) -> None:
    none = np.zeros(len(judged().displacements.field), np.bool_)
    evidence_with(distinct=none, inlier=none)
    assert judged().outcome.aligned
    evidence_with(distinct=none, inlier=none, far_share=0.4, far_motion_px=(30.0, -2.0))
    assert "40% of the texture is displaced by x +30, y -2 px" in judged().outcome.sentence
    assert statuses(judged()) == (Status.SECOND_MOTION, Verdict.FAILED)


@pytest.mark.parametrize(("share", "aligned"), [(0.2, True), (0.38, True), (0.52, False)])
def test_what_has_nearly_as_much_texture_as_the_rest_is_another_answer(
    share: float, aligned: bool
) -> None:
    still, moved = (
        noisy(drawn(SCENE, FINE_SIZE, each), 0.05, 1) for each in (np.eye(3), shift(4.0, 3.0))
    )
    rows = round(share * FINE_SIZE[1])
    both = np.concatenate([moved[:rows], still[rows:]])
    found = judged(view(both, noisy(drawn(SCENE, FINE_SIZE), 0.05, 2)), answer("rigid"))
    assert found.displacements is not None
    assert found.displacements.second_motion is not None
    assert found.displacements.second_motion.share == pytest.approx(share, abs=0.15)
    assert found.outcome.aligned is aligned, found.outcome.sentence
    if not aligned:
        assert found.outcome.status is Status.SECOND_MOTION
        assert "of the texture, at the top, moves independently (5" in found.outcome.sentence


def test_a_shift_that_half_of_the_texture_agrees_on_is_told() -> None:
    for px, verdict in ((0.8, Verdict.ALIGNED), (1.3, Verdict.DOUBTFUL)):
        moved = about(FINE_SIZE, np.array([[1.0, 0.0, px], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        assert judged(seen(moved), answer("translation")).outcome.verdict is verdict


SHEAR = about(FINE_SIZE, np.array([[1.0, 0.02, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))


def test_a_model_that_is_too_simple() -> None:
    # At the top and at the bottom 2.4 px remain of it.
    found = judged(seen(SHEAR), answer("rigid"))
    assert statuses(found) == (Status.MODEL_TOO_SIMPLE, Verdict.DOUBTFUL)
    assert "residual displacement" in found.outcome.sentence
    assert found.displacements is not None
    px = found.displacements.systematic_px
    assert px == pytest.approx(0.02 * 119.5, abs=0.3)
    assert f"{px:.3g} px" in found.outcome.sentence
    assert " in the " in found.outcome.sentence or " at the " in found.outcome.sentence
    for accepted, aligned in ((px - 0.01, False), (px + 0.01, True), (0.0, False)):
        again = judged(seen(SHEAR), answer("rigid"), accept_residual=accepted)
        assert again.outcome.aligned == aligned


def test_less_than_a_pixel_left_is_not_told() -> None:
    for shear, aligned in ((0.006, True), (0.012, False)):
        moved = np.array([[1.0, shear, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        found = judged(seen(about(FINE_SIZE, moved)), answer("rigid"))
        assert found.outcome.aligned == aligned
        # To accept less than that changes nothing.
        again = judged(seen(about(FINE_SIZE, moved)), answer("rigid"), accept_residual=0.0)
        assert again.outcome.aligned == aligned


def test_what_is_accepted_need_not_follow_either() -> None:
    moved = seen(about(FINE_SIZE, np.diag([1.06, 1.06, 1.0])))
    assert not judged(moved, answer("rigid")).outcome.aligned
    assert not judged(moved, answer("rigid"), accept_residual=3.0).outcome.aligned
    assert judged(moved, answer("rigid"), accept_residual=14.0).outcome.aligned


def test_another_transform_of_its_own_model() -> None:
    found = judged(seen(shift(-1.3, 0.8)), answer("translation"))
    assert statuses(found) == (Status.MODEL_TOO_SIMPLE, Verdict.DOUBTFUL)
    assert "is explained by another transform of the translation model" in found.outcome.sentence


@pytest.mark.parametrize("model", ["rigid", "similarity", "homography"])
def test_what_the_texture_does_not_tell(model: str) -> None:
    image = sunburst()
    pair = view(noisy(image, 0.02, 1), noisy(image, 0.02, 2))
    found = judged(pair, answer(model))
    undetermined = model != "rigid"
    assert (
        any("does not determine every parameter" in each for each in found.outcome.reasons)
        == undetermined
    )
    if undetermined:
        assert statuses(found) == (Status.UNCERTAIN, Verdict.DOUBTFUL)
        assert f"of the {model} model" in found.outcome.sentence


def by_noise(sigma: float) -> Uncertainty:
    entries = np.zeros((8, 8))
    entries[2, 2] = entries[5, 5] = sigma**2 / 2.0
    return uncertainty_of(entries, np.eye(3), source_size=FINE_SIZE, target_size=FINE_SIZE)


@pytest.mark.parametrize(("sigma", "aligned"), [(1.98, True), (2.02, False)])
def test_an_answer_that_is_too_uncertain(sigma: float, aligned: bool) -> None:
    found = judged(given=answer(noise=by_noise(sigma)))
    assert found.outcome.aligned == aligned
    assert found.uncertainty is not None
    assert found.uncertainty.mean_px == pytest.approx(sigma, rel=5e-3)
    if not aligned:
        assert statuses(found) == (Status.UNCERTAIN, Verdict.DOUBTFUL)
        assert "only to 2 px (standard deviation, at most 2 px allowed)" in found.outcome.sentence


@pytest.mark.parametrize(("times", "aligned"), [(0.95, True), (1.05, False)])
def test_what_no_model_explains_must_be_little_enough(
    times: float, aligned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsure = replace(by_noise(1.0), mean_px=times * MOST_UNEXPLAINED * judged().allowed_px)
    left_of = assessment.residual_displacement

    def remaining(*arguments: Any) -> Any:
        return replace(left_of(*arguments), drift=np.zeros(8), outside_model=True)

    def with_scatter(*_: Any, drift: Any = None, **__: Any) -> Uncertainty | None:
        # What the drift adds is what no model explains.
        return None if drift is None else unsure

    monkeypatch.setattr(assessment, "residual_displacement", remaining)
    monkeypatch.setattr(assessment, "combined_uncertainty", with_scatter)
    found = judged()
    assert found.outcome.aligned is aligned
    if not aligned:
        assert statuses(found) == (Status.UNCERTAIN, Verdict.DOUBTFUL)
        assert "no motion model explains" in found.outcome.sentence
        assert "mask what does not move" in found.outcome.sentence


@pytest.mark.parametrize(
    ("given", "moved_px", "aligned"),
    [(True, 20.0, True), (True, 20.01, False), (False, 0.0, False)],
)
def test_a_target_that_repeats_itself(given: bool, moved_px: float, aligned: bool) -> None:
    # A period of 50 px, of which 0.4 are allowed from a start that was given.
    found = judged(
        given=answer(start_given=given, moved_px=moved_px), period=Period((-30.0, 40.0), 1.0)
    )
    assert found.outcome.aligned == aligned
    if not aligned:
        assert statuses(found) == (Status.AMBIGUOUS, Verdict.DOUBTFUL)
        assert "period 50 px: x -30, y +40)" in found.outcome.sentence
        assert "--init" in found.outcome.sentence


@dataclass(frozen=True)
class Wider(IntensityView):
    """A pair whose source reaches far beyond what the target shows of it."""

    @property
    def source_size(self) -> tuple[int, int]:
        return 1600, 240


@pytest.mark.parametrize("wide", [False, True])
def test_the_horizon_may_cross_what_the_target_does_not_show(wide: bool) -> None:
    to_target = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0 / 1500.0, 0.0, 1.0]])
    pair = seen(to_target)
    of = Wider(pair.pair, pair.gain) if wide else pair
    found = judged(of, answer(warp=np.linalg.inv(to_target)))
    assert found.outcome.aligned, found.outcome.sentence


@pytest.mark.parametrize(
    ("warp", "objects"),
    [
        (np.eye(3), False),
        (np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0 / 400.0, 0, 1.0]]), False),
        (np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0 / 250.0, 0, 1.0]]), True),
        (np.array([[-1.0, 0, 319.0], [0, 1.0, 0], [0, 0, 1.0]]), True),
    ],
)
def test_a_transform_must_be_one_over_the_target(warp: np.ndarray, objects: bool) -> None:
    found = assessment._ambiguity_objections(answer(warp=warp), None, right())
    assert [each.status for each in found] == [Status.DIVERGED] * objects
    assert all("horizon" in each.words for each in found)


def test_all_objections_are_told() -> None:
    found = judged(
        seen(SHEAR),
        answer("rigid", status=Status.ITERATION_LIMIT, step=0.2, noise=by_noise(3.0)),
        period=Period((30.0, 0.0), 1.0),
    )
    assert found.outcome.status is Status.MODEL_TOO_SIMPLE
    assert len(found.outcome.reasons) == 4
    for words in ("explained by", "only to", "is periodic", "did not converge"):
        assert sum(words in reason for reason in found.outcome.reasons) == 1


def test_a_periodic_target_settles_nothing_by_tiles_alone() -> None:
    waves = [np.cos(2 * np.pi / 12 * axis) for axis in np.mgrid[:240, :320]]
    pair = view(*(noisy(waves[0] + waves[1], 0.05, seed) for seed in (1, 2)))
    found = judged(pair, answer("translation"), period=Period((12.0, 0.0), 1.0))
    assert found.outcome.verdict is Verdict.DOUBTFUL
    assert found.outcome.status is Status.AMBIGUOUS
    assert found.log10_false_alarms > -2.0


def test_parameters_and_tests_count() -> None:
    free, fitted, many = (
        judged(given=answer(parameters=parameters), tests=tests).log10_false_alarms
        for parameters, tests in ((0, 1), (8, 1), (8, 10))
    )
    assert free < fitted
    assert many == pytest.approx(fitted + 1.0)


def test_all_tiles_are_asked_where_they_are_wanted() -> None:
    some, every = (judged(all_tiles=wanted).displacements for wanted in (False, True))
    assert some is not None
    assert every is not None
    assert len(every.field) > 2 * len(some.field)


def test_edges_count_where_they_are_aligned_or_doubtful_and_grey_values_failed() -> None:
    failed = Outcome(Status.NO_AGREEMENT, "", ("nothing agrees",))
    doubtful = Outcome(Status.AMBIGUOUS, "", ("it repeats itself",), doubtful=True)
    aligned = Outcome(Status.CONVERGED, "")
    for by_values in (failed, doubtful, aligned):
        assert prefer_orientations(by_values, aligned)
        assert prefer_orientations(by_values, doubtful) is (by_values is failed)
        assert not prefer_orientations(by_values, failed)


def test_nothing_is_settled_by_what_is_doubted() -> None:
    found = Assessment(Outcome(Status.CONVERGED, "aligned"), conclusive=True, nearly_all=True)
    doubtful = Outcome(Status.SECOND_MOTION, "may be", ("the sensor",), doubtful=True)
    doubted = found.with_doubt(doubtful)
    assert doubted.outcome is doubtful
    assert not doubted.conclusive
    assert not doubted.nearly_all


@pytest.mark.parametrize(
    ("stationary", "stay", "doubtful"), [(49, 0.51, True), (49, 0.5, False), (50, 1.0, False)]
)
def test_a_frame_that_both_images_have_is_no_reason_to_align_them(
    evidence_with: Callable[..., None],
    stationary: int,
    stay: float,
    doubtful: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assessment, "share_at_same_pixel", lambda *_: stay)
    evidence_with(log10_false_alarms=-9.0, tested=100, stationary=stationary)
    found = judged()
    assert found.outcome.doubtful is doubtful
    assert (found.outcome.status is Status.SECOND_MOTION) == doubtful
    assert ("at the same pixels of both images" in found.outcome.sentence) == doubtful
