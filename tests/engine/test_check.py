"""A transform that came from anywhere is judged as it is: nothing is fitted, nothing is changed."""

from __future__ import annotations

import json
import math
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine import check as module
from align_cli.engine.aligner import Aligner, align
from align_cli.engine.check import check
from align_cli.engine.errors import ImageError
from align_cli.engine.images.periodicity import Period
from align_cli.engine.records import Status, Verdict
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.result.transform import Transform
from align_cli.engine.search.mirror import mirror
from align_cli.engine.target.target import Target
from align_cli.files.images import read_image
from tests.engine.displacements.pairs import drawn, noisy, shift, speckle
from tests.engine.search.test_cleaned_pair import text_window
from tests.scenes import motion

DATA = Path(os.environ.get("IMALIGN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SIZE = (400, 300)
TRUTH = motion("homography", SIZE, 15.0, 3)


def as_bytes(image: np.ndarray, seed: int) -> np.ndarray:
    return np.clip(np.rint(noisy(128.0 + 35.0 * image, 2.0, seed)), 0, 255).astype(np.uint8)


@cache
def target() -> np.ndarray:
    return as_bytes(drawn(speckle(1, spread=3.0), SIZE), 1)


@cache
def source() -> np.ndarray:
    return as_bytes(drawn(speckle(1, spread=3.0), SIZE, TRUTH), 2)


def checked(transform: np.ndarray = TRUTH, **options: object) -> Alignment:
    return check(source(), target(), transform, **options)


def reasons(found: Alignment) -> str:
    return "; ".join(found.outcome.reasons)


def test_the_right_one_is_aligned_and_returned_as_it_came() -> None:
    found = checked()
    assert found.outcome.aligned, found.outcome.sentence
    assert_array_equal(found.source_to_target, TRUTH)
    assert_allclose(
        found.target_to_source @ TRUTH / (found.target_to_source @ TRUTH)[2, 2],
        np.eye(3),
        atol=1e-9,
    )
    assert found.start == "given"
    assert found.levels == ()
    assert found.model == "homography"
    assert found.similarity == "intensity"
    assert not found.mirrored
    assert (found.source_size, found.target_size) == (SIZE, SIZE)
    assert found.gain == pytest.approx(1.0, abs=0.05)
    assert found.bias == pytest.approx(0.0, abs=0.05)
    assert found.quality.after.zncc > 0.95
    assert found.uncertainty is not None
    assert found.uncertainty.mean_px < 0.2
    told = found.displacements
    assert told is not None
    assert told.within_1_px > 0.99
    assert told.log10_false_alarms < -5.0


def test_nothing_was_fitted_so_no_parameters_are_counted() -> None:
    given = checked()
    solved = align(source(), target(), init=TRUTH)
    assert given.displacements is not None
    assert solved.displacements is not None
    # All tiles of the target are asked, and none of them is taken off for a parameter.
    assert given.displacements.field.level == 0
    assert len(given.displacements.field) > 2 * len(solved.displacements.field)
    assert given.displacements.log10_false_alarms < solved.displacements.log10_false_alarms


def test_all_tiles_of_a_mirrored_source_are_asked() -> None:
    mask = np.ones(SIZE[::-1], np.bool_)
    mask[:, :60] = False
    flipped, of_flipped = (np.ascontiguousarray(each[:, ::-1]) for each in (source(), mask))
    aligner = Aligner(target())
    plain = aligner.align(source(), mask=mask, all_tiles=True)
    found = aligner.align(flipped, mask=of_flipped, allow_flip=True, all_tiles=True)
    assert found.mirrored
    assert found.displacements is not None
    assert plain.displacements is not None
    field, other = found.displacements.field, plain.displacements.field
    assert_allclose(field.position, other.position)
    assert_allclose(field.displacement, other.displacement, atol=1e-3)


@pytest.mark.parametrize("unit", [1e-3, 1e4])
def test_tiles_tell_as_much_in_whatever_unit_the_source_is(unit: float) -> None:
    aligner = Aligner(target().astype(np.float64))
    one, other = (
        aligner.align(scale * source().astype(np.float64), all_tiles=True).displacements
        for scale in (1.0, unit)
    )
    assert one is not None
    assert other is not None
    assert_allclose(other.field.position, one.field.position)
    assert_allclose(other.field.covariance, one.field.covariance, rtol=1e-3)


@pytest.mark.parametrize(
    ("by", "verdict"),
    [
        ((0.3, 0.2), Verdict.ALIGNED),
        ((3.0, 0.0), Verdict.FAILED),
        ((0.0, -40.0), Verdict.FAILED),
    ],
)
def test_a_wrong_one_is_not(by: tuple[float, float], verdict: Verdict) -> None:
    moved = shift(*by) @ TRUTH
    found = checked(moved / moved[2, 2])
    assert found.outcome.verdict is verdict, found.outcome.sentence
    assert_allclose(found.source_to_target, moved / moved[2, 2], rtol=1e-12)
    assert (found.uncertainty is None) == (verdict is Verdict.FAILED)
    if by == (3.0, 0.0):
        assert found.outcome.status is Status.SECOND_MOTION
        assert found.displacements is not None
        assert found.displacements.systematic_px == pytest.approx(3.0, abs=0.3)
        field = found.displacements.field
        # Where the source was laid too far to the right, its tiles are found there.
        assert_allclose(np.median(field.displacement[field.matched], axis=0), by, atol=0.1)


def test_a_transform_is_any_of_its_forms() -> None:
    matrix, form = checked(), checked(Transform.from_matrix(TRUTH))
    assert_allclose(form.source_to_target, matrix.source_to_target, rtol=1e-12)
    assert form.outcome == matrix.outcome
    listed = checked((3.0 * TRUTH).tolist())
    assert_allclose(listed.source_to_target, TRUTH, rtol=1e-12)


def test_the_model_that_it_is_judged_against() -> None:
    angle = math.radians(0.8)
    turned = np.array(
        [
            [math.cos(angle), -math.sin(angle), 2.0],
            [math.sin(angle), math.cos(angle), -3.0],
            [0, 0, 1],
        ]
    )
    sheared = turned @ np.array([[1.0, 0.012, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    moved = as_bytes(drawn(speckle(1, spread=3.0), SIZE, sheared), 3)
    centre = np.array([199.5, 149.5, 1.0])
    nearest = shift(*(sheared @ centre - turned @ centre)[:2]) @ turned
    found = check(moved, target(), nearest, model="rigid")
    assert found.model == "rigid"
    assert found.outcome.status is Status.MODEL_TOO_SIMPLE, found.outcome.sentence
    assert "is explained by the affine model" in reasons(found)
    assert "angle_deg" in found.parameters
    accepted = check(moved, target(), nearest, model="rigid", accept_residual=4.0)
    assert accepted.outcome.aligned, accepted.outcome.sentence
    assert check(moved, target(), sheared, model="rigid").model == "rigid"
    # What is put into words is what was given, though it is judged as less.
    assert (
        check(moved, target(), sheared, model="rigid").parameters.keys()
        == check(moved, target(), sheared, model="affine").parameters.keys()
    )


def test_one_that_mirrors() -> None:
    flipped = np.ascontiguousarray(source()[:, ::-1])
    to_target = TRUTH @ mirror(SIZE[0])
    found = check(flipped, target(), to_target)
    assert found.outcome.aligned, found.outcome.sentence
    assert found.mirrored
    assert_allclose(found.source_to_target, to_target / to_target[2, 2], rtol=1e-9, atol=1e-9)
    wrong = check(source(), target(), to_target)
    assert not wrong.outcome.aligned
    assert not check(flipped, target(), TRUTH).outcome.aligned
    mask = np.ones(SIZE[::-1], np.bool_)
    mask[:, :150] = False
    part = check(flipped, target(), to_target, source_mask=mask)
    assert part.outcome.aligned
    assert part.displacements is not None
    # The left of the mirror image is the right of the scene.
    assert part.displacements.field.position[:, 0].max() < 270.0


@pytest.mark.parametrize("role", ["source", "target"])
def test_masks_keep_what_does_not_belong_out_of_it(role: str) -> None:
    spoilt = {"source": source().copy(), "target": target().copy()}
    spoilt[role][:, 200:] = text_window(3, 200, 300)
    plain = check(spoilt["source"], spoilt["target"], TRUTH)
    mask = np.ones(SIZE[::-1], np.bool_)
    mask[:, 200:] = False
    found = check(spoilt["source"], spoilt["target"], TRUTH, **{f"{role}_mask": mask})
    assert found.outcome.aligned, found.outcome.sentence
    assert found.displacements is not None
    assert plain.displacements is not None
    assert found.displacements.within_1_px > 0.98
    assert found.displacements.field.position[:, 0].max() < 230.0
    assert plain.displacements.field.position[:, 0].max() > 300.0
    beyond = plain.displacements.field.position[:, 0] > 240.0
    assert plain.displacements.field.matched[beyond].mean() < 0.5


def test_unlike_images_are_compared_by_their_edges() -> None:
    negative = 255 - source()
    intensity = check(negative, target(), TRUTH)
    assert not intensity.outcome.aligned
    for similarity in ("gradient", "auto"):
        found = check(negative, target(), TRUTH, similarity=similarity)
        assert found.outcome.aligned, found.outcome.sentence
        assert found.similarity == "gradient"
        assert math.isnan(found.gain)
        assert math.isnan(found.bias)
    moved = shift(5.0, 0.0) @ TRUTH
    assert not check(negative, target(), moved / moved[2, 2], similarity="gradient").outcome.aligned
    assert checked(similarity="auto").similarity == "intensity"
    assert checked(similarity="gradient").similarity == "gradient"


def test_other_content_has_failed() -> None:
    other = as_bytes(drawn(speckle(9, spread=3.0), SIZE, TRUTH), 2)
    found = check(other, target(), TRUTH)
    assert found.outcome.status is Status.NO_AGREEMENT
    assert found.outcome.verdict is Verdict.FAILED
    assert found.displacements is not None
    assert found.displacements.field.matched.sum() > 10
    assert found.uncertainty is None


def test_of_a_target_that_repeats_itself_the_given_place_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Target, "period", Period((30.0, 0.0), 1.0))
    found = checked()
    assert found.outcome.aligned, found.outcome.sentence
    assert align(source(), target()).outcome.status is Status.AMBIGUOUS


def test_gain_and_bias_are_told() -> None:
    dim = np.rint(0.5 * source().astype(float) + 40.0).astype(np.uint8)
    found = check(dim, target(), TRUTH)
    assert found.outcome.aligned, found.outcome.sentence
    assert found.gain == pytest.approx(0.5, abs=0.03)
    assert found.bias == pytest.approx(40.0 / 255.0, abs=0.03)


def test_what_is_no_transform_is_refused() -> None:
    with pytest.raises(ImageError, match="horizon"):
        checked(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0 / 200.0, 0.0, 1.0]]))
    for bad in (np.eye(2), np.full((3, 3), np.nan), np.zeros((3, 3))):
        with pytest.raises((ImageError, ValueError)):
            checked(bad)
    with pytest.raises(ValueError, match="unknown model"):
        checked(model="projective")
    with pytest.raises(ValueError, match=r"against one model; choose one of translation"):
        checked(model="auto")
    with pytest.raises(ImageError):
        check(source(), target(), TRUTH, target_mask=np.ones((3, 3), np.bool_))


def test_threads_change_nothing() -> None:
    one, two = checked(threads=1), checked(threads=2)
    assert one.displacements is not None
    assert two.displacements is not None
    assert_array_equal(one.displacements.field.displacement, two.displacements.field.displacement)


@pytest.mark.skipif(not (DATA / "reports").exists(), reason=f"reported cases are not at {DATA}")
@pytest.mark.parametrize(
    "case", ["aperture_low_60", "bayer_discs", "form_stamped_swap", "frame_letterbox"]
)
def test_reported_cases(case: str) -> None:
    folder = DATA / "reports" / case
    truth = json.loads((folder / "truth.json").read_text())
    images = [read_image(folder / f"{role}.png").pixels for role in ("source", "target")]
    matrix, model = np.array(truth["matrix_source_to_target"]), truth["model"]
    found = check(*images, matrix, model=model)
    assert found.outcome.aligned, found.outcome.sentence
    assert not check(*images, shift(3.0, -2.0) @ matrix, model=model).outcome.aligned


@pytest.mark.skipif(not (DATA / "real").exists(), reason=f"real pairs are not at {DATA}")
@pytest.mark.parametrize("name", ["room", "sem_6"])
def test_real_pairs(name: str) -> None:
    pairs = json.loads((DATA / "real" / "truth.json").read_text())["pairs"]
    (pair,) = (each for each in pairs if each["source"].startswith(f"{name}_"))
    images = [read_image(DATA / "real" / pair[role]).pixels for role in ("source", "target")]
    matrix = np.array(pair["matrix_source_to_target"])
    found = check(*images, matrix, accept_residual=3.0)  # right to a pixel or so
    assert found.displacements is not None
    assert found.displacements.log10_false_alarms < -2.0
    assert found.outcome.verdict is not Verdict.FAILED
    far = shift(60.0, -45.0) @ matrix
    assert not check(*images, far / far[2, 2]).outcome.aligned


def test_of_what_is_aligned_nothing_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[object] = []
    monkeypatch.setattr(module, "cleaned_pair", lambda *_: tested.append(True))
    assert checked().outcome.aligned
    assert tested == []
    assert not checked(TRUTH @ shift(9.0, 0.0)).outcome.aligned
    assert tested == [True]


def test_the_illumination_of_a_failure_is_not_believed() -> None:
    """Between what does not correspond any gain may fit, and RMSE after it tell anything."""
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 200, (120, 160)).astype(np.uint8) for _ in range(2))
    for found in (align(one, other, model="translation"), check(one, other, np.eye(3))):
        assert found.outcome.verdict is Verdict.FAILED
        assert found.illumination is None
        assert math.isnan(found.gain)
        assert math.isnan(found.bias)
        for agreement in (found.quality.before, found.quality.after):
            assert (agreement.rmse, agreement.mae) == (agreement.rmse_raw, agreement.mae_raw)
            assert 0.2 < agreement.rmse < 0.4


def test_a_transform_is_none_of_what_only_holds_one() -> None:
    with pytest.raises(TypeError, match=r"not an Alignment; .* found\.transform"):
        check(source(), target(), checked())  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"transform: .* align_cli\.load reads it"):
        check(source(), target(), "x.json")  # type: ignore[arg-type]
