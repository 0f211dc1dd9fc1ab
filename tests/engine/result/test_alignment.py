from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import align, residual
from align_cli.engine.check import check
from align_cli.engine.errors import ImageError, NotAlignedError
from align_cli.engine.geometry.models import MODELS, describe
from align_cli.engine.records import ImageKind, Outcome, Status
from align_cli.engine.result.alignment import Alignment
from align_cli.engine.result.warp import warp_image
from tests.scenes import Pair, pair

MADE = pair("affine", seed=1, size=(120, 90), source_size=(101, 95))


def test_only_converged_is_aligned() -> None:
    assert [s for s in Status if Outcome(s, "").aligned] == [Status.CONVERGED]


def test_an_alignment_holds_together() -> None:
    found = align(MADE.source, MADE.target, model="affine")
    assert found.model == "affine"
    assert found.source_size == (101, 95)
    assert found.target_size == (120, 90)
    assert found.source_to_target.dtype == np.float64
    assert found.source_to_target[2, 2] == found.target_to_source[2, 2] == 1.0
    assert_allclose(found.source_to_target @ found.target_to_source, np.eye(3), atol=1e-12)
    assert found.parameters == describe(found.source_to_target, MODELS["affine"], (101, 95))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.model = "rigid"  # type: ignore[misc]


def test_the_warped_source_lies_over_the_target() -> None:
    found = align(MADE.source, MADE.target, model="affine")
    warped = found.warp(MADE.source, fill=np.nan)
    seen = np.isfinite(warped)
    assert warped.shape == MADE.target.shape
    assert 0.5 < seen.mean() < 1.0
    # Linear interpolation of 12 px waves is off by about a percent of them.
    assert np.abs(warped - MADE.target)[seen].max() < 0.02
    assert_array_equal(
        found.warp(MADE.source, fill=0.5),
        warp_image(
            MADE.source,
            found.target_to_source,
            target_size=(120, 90),
            source_size=(101, 95),
            fill=0.5,
        ),
    )


def test_anything_on_the_sources_grid_can_be_warped_and_nothing_else() -> None:
    found = align(MADE.source, MADE.target, model="affine")
    label = np.zeros((95, 101, 3), np.uint16)
    assert found.warp(label).shape == (90, 120, 3)
    with pytest.raises(ImageError, match="an image of 101x95 px, this one has 120x90 px"):
        found.warp(MADE.target)


def test_the_residual_is_that_of_the_warped_source() -> None:
    found = align(MADE.source, MADE.target, model="affine")
    difference, overlap = residual(MADE.source, MADE.target, found, raw=True)
    expected = found.warp(MADE.source) - MADE.target
    assert_allclose(difference[overlap], expected[overlap], atol=1e-5)
    assert overlap.mean() == pytest.approx(found.quality.overlap)


NOISE = 0.01
"""Standard deviation of the noise of either image."""


def lit(change: str, *, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """``MADE`` with noise, its source under another illumination."""
    rng = np.random.default_rng(0)
    height, width = MADE.source.shape
    y, x = np.mgrid[:height, :width]
    corner = ((2.0 * x / (width - 1) - 1.0) ** 2 + (2.0 * y / (height - 1) - 1.0) ** 2) / 2.0
    factor, offset = {
        "gain": (1.3, 0.0),
        "gain and bias": (0.7, 0.1),
        "vignette": (1.0 - 0.4 * corner, 0.0),
        "both": (1.3 * (1.0 - 0.3 * corner), 0.05),
    }[change]
    source = factor * MADE.source + offset + rng.normal(0.0, noise, MADE.source.shape)
    return source, MADE.target + rng.normal(0.0, noise, MADE.target.shape)


@pytest.mark.parametrize("unit", [1.0, 700.0])
@pytest.mark.parametrize("change", ["gain", "gain and bias", "vignette", "both"])
def test_what_the_illumination_explains_is_not_in_the_error(change: str, unit: float) -> None:
    source, target = (unit * image for image in lit(change))
    found = align(source, target, model="affine")
    assert found.outcome.aligned
    after, before = found.quality.after, found.quality.before
    # Noise of the target and, divided by the gain, of the source, and what sampling smooths away.
    assert after.rmse < 1.9 * NOISE * unit
    assert after.rmse_raw > 4.0 * NOISE * unit
    assert after.mae < after.rmse
    assert after.mae_raw < after.rmse_raw
    assert before.rmse > 2.0 * after.rmse
    for raw, rmse, mae in (
        (False, after.rmse, after.mae),
        (True, after.rmse_raw, after.mae_raw),
    ):
        difference, overlap = residual(source, target, found, raw=raw)
        assert np.sqrt(np.square(difference[overlap]).mean()) == pytest.approx(rmse, rel=1e-4)
        assert np.abs(difference[overlap]).mean() == pytest.approx(mae, rel=1e-4)


@pytest.mark.parametrize("change", ["gain and bias", "both"])
def test_the_illumination_lays_grey_values_on_the_targets(change: str) -> None:
    source, target = lit(change)
    found = align(source, target, model="affine")
    assert found.illumination is not None
    width, height = found.target_size
    y, x = np.mgrid[:height, :width]
    u, v = (x - (width - 1) / 2) / (width / 2), (y - (height - 1) / 2) / (width / 2)
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])
    factor, offset = (
        np.tensordot(c, terms, 1) for c in (found.illumination.factor, found.illumination.offset)
    )
    difference, overlap = residual(source, target, found)
    expected = factor * found.warp(source) + offset - target
    assert_allclose(difference[overlap], expected[overlap], atol=1e-4)
    assert found.gain == pytest.approx(1.0 / found.illumination.factor[0])
    assert found.bias == pytest.approx(-found.illumination.offset[0] * found.gain)
    assert bool(found.illumination.factor[1:].any()) is (change == "both")


@pytest.mark.parametrize("unit", [1.0, 700.0])
def test_without_a_photometric_model_the_error_is_the_raw_one(unit: float) -> None:
    source, target = (unit * image for image in lit("gain"))
    found = align(source, target, model="affine", photometric=False)
    assert found.illumination is not None
    assert not found.illumination.changes
    for each in (found.quality.before, found.quality.after):
        assert (each.rmse, each.mae) == (each.rmse_raw, each.mae_raw)
    one, other = (residual(source, target, found, raw=raw)[0] for raw in (False, True))
    assert (one == other).all()


def test_where_edges_are_compared_the_error_is_the_raw_one() -> None:
    source, target = lit("gain")
    found = align(1.0 - source, target, model="affine", similarity="gradient")
    assert found.outcome.aligned
    assert found.illumination is None
    for each in (found.quality.before, found.quality.after):
        assert (each.rmse, each.mae) == (each.rmse_raw, each.mae_raw)
    one, other = (residual(1.0 - source, target, found, raw=raw)[0] for raw in (False, True))
    assert (one == other).all()
    assert "no illumination is solved for" in found.summary()


def test_the_illumination_of_a_mirrored_source_is_on_the_targets_grid() -> None:
    source, target = lit("both")
    mirrored = np.ascontiguousarray(source[:, ::-1])
    found = align(mirrored, target, model="affine", allow_flip=True)
    assert found.mirrored
    difference, overlap = residual(mirrored, target, found)
    assert np.sqrt(np.square(difference[overlap]).mean()) < 1.9 * NOISE


@pytest.mark.parametrize("change", ["gain and bias", "both"])
def test_a_check_corrects_the_illumination_too(change: str) -> None:
    source, target = lit(change)
    found = align(source, target, model="affine")
    checked = check(source, target, found.source_to_target)
    assert checked.illumination is not None
    assert checked.illumination.changes
    assert checked.gain == pytest.approx(1.0 / checked.illumination.factor[0])
    assert checked.quality.after.rmse < 1.05 * found.quality.after.rmse
    assert checked.quality.after.rmse_raw == pytest.approx(found.quality.after.rmse_raw)


def test_identical_images_warp_onto_themselves_whole() -> None:
    # Once red: see test_a_border_survives_what_rounding_does_to_an_identity.
    same = Pair(MADE.target, MADE.target, np.eye(3))
    found = align(same.source, same.target, model="translation")
    warped = found.warp(same.source, fill=np.nan)
    assert np.isfinite(warped).all()
    assert_allclose(warped, same.target, atol=1e-5)


NOT_ALIGNED = Outcome(Status.NO_AGREEMENT, "Nothing agrees.", ("Nothing agrees.",))
DOUBTFUL = dataclasses.replace(NOT_ALIGNED, doubtful=True)
FOUND = align(MADE.source, MADE.target, model="affine")
POINTS = np.array([[10.0, 20.0], [30.0, 5.0]])


def with_outcome(outcome: Outcome) -> Alignment:
    return dataclasses.replace(FOUND, outcome=outcome)


USES = {
    "warp": lambda found, **how: found.warp(MADE.source, **how),
    "map_points": lambda found, **how: found.map_points(POINTS, **how),
}


@pytest.mark.parametrize("use", USES)
def test_a_failed_alignment_is_used_only_by_force(use: str) -> None:
    failed = with_outcome(NOT_ALIGNED)
    for how in ({}, {"accept_doubtful": True}):
        with pytest.raises(NotAlignedError, match=r"^the alignment failed: Nothing agrees; force="):
            USES[use](failed, **how)
    assert_array_equal(USES[use](failed, force=True), USES[use](FOUND))


@pytest.mark.parametrize("use", USES)
def test_a_doubtful_alignment_is_used_where_that_is_accepted(use: str) -> None:
    doubtful = with_outcome(DOUBTFUL)
    with pytest.raises(NotAlignedError, match=r"is doubtful: .*; accept_doubtful=True uses it"):
        USES[use](doubtful)
    for how in ({"accept_doubtful": True}, {"force": True}):
        assert_array_equal(USES[use](doubtful, **how), USES[use](FOUND))


def test_the_error_says_the_same_in_another_process() -> None:
    with pytest.raises(NotAlignedError) as raised:
        with_outcome(DOUBTFUL).warp(MADE.source)
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert (again.sentence, again.verdict, again.where) == ("Nothing agrees.", "doubtful", "")


def test_the_transform_of_an_alignment_is_the_same_to_the_last_bit() -> None:
    transform = FOUND.transform
    assert transform.source_to_target.tobytes() == FOUND.source_to_target.tobytes()
    assert transform.target_to_source.tobytes() == FOUND.target_to_source.tobytes()
    assert (transform.model, transform.source_size, transform.target_size) == (
        FOUND.model,
        FOUND.source_size,
        FOUND.target_size,
    )
    assert FOUND.uncertainty is not None
    assert transform.covariance is not None
    assert transform.covariance.tobytes() == FOUND.uncertainty.covariance.tobytes()
    assert_array_equal(transform.warp(MADE.source), FOUND.warp(MADE.source))


def test_points_are_mapped_both_ways() -> None:
    there = FOUND.map_points(POINTS)
    homogeneous = np.column_stack([POINTS, np.ones(2)]) @ FOUND.source_to_target.T
    assert_allclose(there, homogeneous[:, :2] / homogeneous[:, 2:], atol=1e-12)
    assert_allclose(FOUND.map_points(there, inverse=True), POINTS, atol=1e-9)
    assert_allclose(FOUND.map_points([10, 20]), there[:1])


def test_an_alignment_shows_itself_in_a_line() -> None:
    x, y = FOUND.parameters["shift_px"]
    sigma = FOUND.uncertainty.mean_px
    assert repr(FOUND) == (
        f"<Alignment aligned: affine, shift ({x:.3f}, {y:.3f}) px, +-{sigma:.2g} px, "
        "101x95 -> 120x90 px>"
    )
    assert repr(with_outcome(DOUBTFUL)).startswith("<Alignment doubtful (no_agreement): affine, sh")
    mirrored = dataclasses.replace(FOUND, mirrored=True, uncertainty=None)
    assert repr(mirrored) == repr(FOUND).replace("affine", "affine, mirrored").replace(
        f"+-{sigma:.2g} px, ", ""
    )


def test_a_failed_alignment_does_not_show_a_shift_that_somebody_might_believe() -> None:
    failed = with_outcome(NOT_ALIGNED)
    assert repr(failed) == "<Alignment failed (no_agreement): affine, 101x95 -> 120x90 px>"


def test_no_alignment_takes_more_than_a_line() -> None:
    extreme = {"shift_px": (-1.23456789e300, float("nan"))}
    large = dataclasses.replace(
        FOUND, parameters=extreme, source_size=(32766, 32766), target_size=(32766, 32766)
    )
    assert len(repr(large)) < 150
    assert "\n" not in repr(large)


def test_what_the_images_consist_of_is_kept() -> None:
    images = pair("rigid", seed=3, dtype="uint16", channels=4, source_channels=0)
    found = align(images.source, images.target, model="rigid", allow_flip=True)
    assert found.source_kind == ImageKind(1, "uint16")
    assert found.target_kind == ImageKind(4, "uint16")
    checked = check(images.source, images.target, found.transform, model="rigid")
    assert (checked.source_kind, checked.target_kind) == (found.source_kind, found.target_kind)


def test_a_result_is_equal_to_itself_alone_and_can_be_a_key() -> None:
    found, other = (align(MADE.source, MADE.target, model="affine") for _ in range(2))
    assert [found].index(found) == 0
    assert found != other
    assert {found: 1}[found] == 1


def test_a_canvas_is_asked_for_by_its_method() -> None:
    found = align(MADE.source, MADE.target, model="affine")
    for use in (found.warp, found.transform.warp):
        with pytest.raises(TypeError, match=r'not str; transform\.canvas\("union"\) makes one'):
            use(MADE.source, canvas="union")  # type: ignore[arg-type]
    union = found.transform.canvas("union")
    assert found.warp(MADE.source, canvas=union).shape == union.size[::-1]


def test_what_to_try_is_told_in_keywords() -> None:
    """The command has options, Python has none."""
    one, other = np.random.default_rng(0).random((2, 80, 100))
    found = align(one, other)
    assert "(--init)" in found.outcome.sentence
    with pytest.raises(NotAlignedError) as caught:
        found.warp(one)
    assert "(init=...)" in str(caught.value)
    assert "(init=...)" in found.summary()
    assert "--" not in str(caught.value) + found.summary()
