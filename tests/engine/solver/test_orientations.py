"""Unlike images: negatives and bent grey values are found, different pictures are not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from align_cli import Aligner, align
from align_cli.engine.equations.illumination import NO_TERMS, Illumination
from align_cli.engine.equations.state import State
from align_cli.engine.geometry.coordinates import at_level, inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import luma
from align_cli.engine.images.orientation_periodicity import orientation_period
from align_cli.engine.images.pyramid import Level, level_count, pyramid
from align_cli.engine.images.structure_tensor import (
    orientation_planes,
    planes_of_smoothed,
    smoothed,
    tensors,
)
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import Options
from align_cli.engine.records import Status
from align_cli.engine.solver import orientations as module
from align_cli.engine.solver.covariance import covariance, uncertainty
from align_cli.engine.solver.gauss_newton import LevelSettings, solve_level
from align_cli.engine.solver.orientation_levels import View, orientation_pair
from align_cli.engine.solver.orientations import Orientations
from tests.engine.solver.test_covariance import solved_on
from tests.photographs import cut, photograph, quarter_turns, shifted

SIZE = (300, 220)
Image = NDArray[np.uint8]


def negative(image: Image) -> Image:
    return np.asarray(255 - image, np.uint8)


def bent(image: Image) -> Image:
    """Grey values that go up, down and up again."""
    curve = 127.5 + 120.0 * np.sin(np.arange(256) * (2.5 * np.pi / 255.0))
    return np.asarray(np.rint(curve)[image], np.uint8)


def moved_pair(change: Callable[[Image], Image]) -> tuple[Image, Image, NDArray[np.float64]]:
    """A changed source whose pixel (0, 0) is the target's (7, -5)."""
    picture = photograph("poster")
    target = cut(picture, SIZE, 20, 30)
    source = cut(change(cv2.GaussianBlur(picture, (0, 0), 0.7)), SIZE, 27, 25)
    return source, target, shifted(7.0, -5.0)


def corner_error(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    corners = np.array([[0.0, 0.0, 1.0], [299.0, 0.0, 1.0], [299.0, 219.0, 1.0], [0.0, 219.0, 1.0]])
    there, wanted = corners @ found.T, corners @ truth.T
    distance = there[:, :2] / there[:, 2:] - wanted[:, :2] / wanted[:, 2:]
    return float(np.hypot(*distance.T).max())


@pytest.mark.parametrize("change", [negative, bent])
@pytest.mark.parametrize("model", ["translation", "affine", "homography"])
def test_other_grey_values_of_the_same_scene_are_aligned(change, model):
    source, target, truth = moved_pair(change)
    found = align(source, target, model=model, similarity="gradient")
    assert found.outcome.aligned, found.outcome.sentence
    assert corner_error(found.source_to_target, truth) < 0.2
    assert found.similarity == "gradient"
    assert np.isnan(found.gain)


def test_a_turned_negative_is_aligned_from_a_start_that_says_so():
    source, target, _ = moved_pair(negative)
    turned = np.ascontiguousarray(np.rot90(source, 1))
    back = np.array([[0.0, -1.0, 299.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    truth = shifted(7.0, -5.0) @ back
    found = align(turned, target, similarity="gradient", init=shifted(3.0, -2.0) @ truth)
    assert found.outcome.aligned, found.outcome.sentence
    assert np.abs(found.source_to_target - truth)[:2, 2].max() < 0.3


@pytest.mark.parametrize(("source", "target"), [("poster", "scan"), ("scan", "exposure")])
def test_different_pictures_fail(source, target):
    images = [cut(photograph(name), SIZE, 10, 10) for name in (source, target)]
    assert not align(*images, similarity="gradient").outcome.aligned


def apart(name: str) -> list[tuple[Image, Image]]:
    """Parts of one photograph that have no pixel in common."""
    picture = photograph(name)
    height, width = (side // 2 for side in picture.shape)
    size = width, height
    return [
        (cut(picture, size, 0, 0), cut(picture, size, width, 0)),
        (cut(picture, size, 0, 0), cut(picture, size, 0, height)),
        (cut(picture, size, width, 0), cut(picture, size, 0, height)),
    ]


@pytest.mark.parametrize("name", ["poster", "scan", "exposure"])
def test_parts_of_one_picture_that_share_nothing_fail(name):
    for source, target in apart(name):
        assert not align(negative(source), target, similarity="gradient").outcome.aligned


@pytest.mark.parametrize("change", [negative, bent])
def test_a_shift_by_a_third_is_found(change):
    picture = photograph("poster")
    target = cut(picture, SIZE, 10, 10)
    source = cut(change(cv2.GaussianBlur(picture, (0, 0), 0.7)), SIZE, 110, 80)
    found = align(source, target, similarity="gradient")
    assert found.outcome.aligned, found.outcome.sentence
    assert found.start == "translation"
    assert corner_error(found.source_to_target, shifted(100.0, 70.0)) < 0.3


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_negative_is_found(turns):
    picture = photograph("poster")
    target = cut(picture, SIZE, 20, 30)
    source, back = quarter_turns(negative(cut(picture, SIZE, 27, 25, seed=1)), turns)
    found = align(source, target, similarity="gradient", model="rigid")
    assert found.outcome.aligned, found.outcome.sentence
    assert found.start in ("fourier", "poses")
    assert corner_error(found.source_to_target, shifted(7.0, -5.0) @ back) < 0.1


def test_a_start_that_is_named_is_the_only_one():
    picture = photograph("poster")
    source, target = negative(cut(picture, SIZE, 110, 80)), cut(picture, SIZE, 10, 10)
    assert not align(source, target, similarity="gradient", init="identity").outcome.aligned
    found = align(source, target, similarity="gradient", init="translation")
    assert found.outcome.aligned
    assert found.start == "translation"


def wall(width: int, height: int) -> Image:
    """Bricks, each of a grey value of its own, all of one form."""
    y, x = np.mgrid[:height, :width]
    row = y // 26
    brick = (x + 30 * (row % 2)) // 60
    tones = np.random.default_rng(3).uniform(90.0, 170.0, (row.max() + 1, brick.max() + 1))
    mortar = ((x + 30 * (row % 2)) % 60 < 6) | (y % 26 < 6)
    image = np.where(mortar, 20.0, tones[row, brick])
    return np.asarray(np.rint(cv2.GaussianBlur(image, (0, 0), 1.0)), np.uint8)


def view(image: Image) -> View:
    plane = luma(image, "target")
    return View(plane, pyramid(plane, level_count(plane.size)))


def test_bricks_repeat_themselves_as_far_as_their_edges_tell():
    planes = view(wall(400, 320)).fixed(1, exact=False).planes
    period = orientation_period(planes, 1)
    assert period is not None
    x, y = period.shift_px
    assert (abs(x) % 60.0, y) in [(30.0, 26.0), (0.0, 0.0), (0.0, 52.0)]
    assert period.likeness > 0.9
    assert view(photograph("poster")).period is None


def test_a_part_that_takes_no_part_does_not_hide_the_repeat():
    planes = view(wall(400, 320)).fixed(1, exact=False).planes
    valid = np.ones(planes[0].image.shape, np.bool_)
    valid[40:90, 60:130] = False
    masked = [Level(np.where(valid, plane.image, np.float32(9.0)), valid) for plane in planes]
    period = orientation_period(masked, 1)
    assert period is not None
    assert period.likeness > 0.6


def test_a_target_of_bricks_is_aligned_only_from_a_start_that_is_given():
    picture = wall(460, 380)
    target = cut(picture, (380, 300), 40, 40)
    source = negative(cut(picture, (380, 300), 44, 37, seed=1))
    found = align(source, target, similarity="gradient", model="rigid")
    assert found.outcome.doubtful, found.outcome.sentence
    assert "is periodic" in found.outcome.sentence
    given = align(source, target, similarity="gradient", model="rigid", init=shifted(3.0, -2.0))
    assert given.outcome.aligned, given.outcome.sentence
    assert np.abs(given.source_to_target[:2, 2] - [4.0, -3.0]).max() < 0.3


def discs(width: int, height: int) -> Image:
    """Discs of many sizes, in rows, as coins lie in a tray."""
    y, x = np.mgrid[:height, :width]
    radii = np.random.default_rng(2).uniform(7.0, 16.0, (height // 36 + 1, width // 36 + 1))
    distance = np.hypot(x % 36 - 18.0, y % 36 - 18.0)
    image = np.where(distance < radii[y // 36, x // 36], 190.0, 60.0)
    return np.asarray(np.rint(cv2.GaussianBlur(image, (0, 0), 1.0)), np.uint8)


def test_of_doubtful_places_the_one_in_which_most_agrees_is_given():
    picture = discs(480, 400)
    target = cut(picture, (360, 300), 20, 20)
    source = negative(cut(picture, (360, 300), 92, 56, seed=1))
    found = align(source, target, similarity="gradient", model="rigid")
    assert found.outcome.doubtful, found.outcome.sentence
    assert found.start != "identity"
    assert corner_error(found.source_to_target, shifted(72.0, 36.0)) < 0.5


def test_the_uncertainty_is_that_of_the_errors():
    picture = photograph("poster")
    target = cut(picture, SIZE, 20, 30, noise=8.0)
    over_predicted = []
    for seed in range(6):
        source = negative(cut(picture, SIZE, 27, 25, noise=8.0, seed=seed))
        found = align(source, target, similarity="gradient", model="affine")
        assert found.uncertainty is not None
        at_corner = found.source_to_target @ [0.0, 0.0, 1.0]
        error = np.hypot(*(at_corner[:2] / at_corner[2] - [7.0, -5.0]))
        over_predicted.append(error / found.uncertainty.corners_px[0])
    assert 0.4 < np.sqrt(np.mean(np.square(over_predicted))) < 2.0


def test_planes_that_say_the_same_twice_know_no_more_than_one():
    solved = solved_on(0, "affine")
    np.testing.assert_allclose(
        covariance(solved, 10**9, solved), covariance(solved, 10**9), rtol=1e-9
    )


def test_the_uncertainty_is_told_where_the_source_was_warped_to_before():
    solved = solved_on(0, "affine")
    size = solved.target.size
    before = shifted(30.0, -12.0) @ np.diag([2.0, 2.0, 1.0])
    there = uncertainty(solved, size, (700, 600), warped_by=before)
    here = uncertainty(solved, size, size)
    assert there is not None
    assert here is not None
    # What is uncertain is where the target's pixels come to lie, in its own pixels.
    assert there.max_px == pytest.approx(here.max_px, rel=1e-6)


def test_a_target_that_is_kept_gives_the_same_as_one_that_is_not():
    source, target, _ = moved_pair(negative)
    aligner = Aligner(target, similarity="gradient", model="affine")
    first, second = aligner.align(source), aligner.align(source)
    alone = align(source, target, similarity="gradient", model="affine")
    np.testing.assert_array_equal(first.source_to_target, second.source_to_target)
    np.testing.assert_array_equal(first.source_to_target, alone.source_to_target)


def test_what_a_mask_covers_changes_nothing():
    source, target, truth = moved_pair(negative)
    mask = np.ones(source.shape, np.bool_)
    mask[60:130, 80:180] = False
    spoilt = source.copy()
    spoilt[~mask] = np.random.default_rng(0).integers(0, 255, spoilt.shape)[~mask]
    found, other = (
        align(image, target, similarity="gradient", source_mask=mask) for image in (source, spoilt)
    )
    assert found.outcome.aligned
    assert corner_error(found.source_to_target, truth) < 0.3
    np.testing.assert_array_equal(found.source_to_target, other.source_to_target)


def test_auto_keeps_grey_values_where_they_do():
    source, target, _ = moved_pair(lambda image: image)
    auto, intensity = (align(source, target, similarity=name) for name in ("auto", "intensity"))
    assert auto.similarity == "intensity"
    np.testing.assert_array_equal(auto.source_to_target, intensity.source_to_target)


def test_auto_compares_orientations_where_grey_values_fail():
    source, target, truth = moved_pair(negative)
    found = align(source, target, similarity="auto")
    assert found.similarity == "gradient"
    assert found.outcome.aligned
    assert corner_error(found.source_to_target, truth) < 0.2


def test_orientations_are_at_double_angle_and_blind_to_sign_and_contrast():
    x, y = np.meshgrid(np.arange(40, dtype=np.float32), np.arange(30, dtype=np.float32))
    for angle in np.deg2rad([0.0, 20.0, 45.0, 90.0, 150.0]):
        ramp = np.asarray(np.cos(angle) * x + np.sin(angle) * y, np.float32)
        for factor in (1.0, -1.0, 0.01):
            c, s = orientation_planes(tensors(Level(np.float32(factor) * ramp, None), 0.0))
            assert c.image[15, 20] == pytest.approx(np.cos(2 * angle), abs=2e-3)
            assert s.image[15, 20] == pytest.approx(np.sin(2 * angle), abs=2e-3)


def test_orientations_turn_with_the_picture():
    x, _ = np.meshgrid(np.arange(40, dtype=np.float32), np.arange(30, dtype=np.float32))
    angle = np.deg2rad(25.0)
    # Seen through a warp that turns by the angle, the ramp x runs along (cos, -sin).
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    c, s = planes_of_smoothed(smoothed(tensors(Level(x, None), 0.0)), turn)
    assert c.image[15, 20] == pytest.approx(np.cos(2 * angle), abs=2e-3)
    assert s.image[15, 20] == pytest.approx(-np.sin(2 * angle), abs=2e-3)


def test_noise_alone_has_no_orientation():
    noise = np.random.default_rng(0).normal(0.0, 1.0, (80, 90)).astype(np.float32)
    energy = 1.0  # of central differences: twice a half
    c, s = orientation_planes(tensors(Level(noise, None), energy))
    assert np.hypot(c.image, s.image).mean() < 0.25


def test_the_choice_of_a_model_needs_grey_values():
    with pytest.raises(ValueError, match="choose one of translation"):
        Options(model="auto", similarity="gradient")
    with pytest.raises(ValueError, match="intensity, gradient, auto"):
        Options(similarity="colour")
    with pytest.raises(ValueError, match="choose 'gradient'"):
        Options(similarity="mutual-information")


@pytest.mark.parametrize("size", [(100, 9), (9, 40)])
@pytest.mark.parametrize("similarity", ["gradient", "auto"])
def test_of_a_narrow_strip_the_answer_is_right_or_none(
    size: tuple[int, int], similarity: str
) -> None:
    # Once a crash: of nine rows none is left that both show.
    width, height = size
    picture = cv2.GaussianBlur(np.random.default_rng(0).random((200, 200)), (0, 0), 1.5)
    picture = np.clip(700.0 * (picture - 0.5) + 128.0, 0.0, 255.0).astype(np.uint8)
    source, target = picture[3 : 3 + height, 2 : 2 + width], picture[:height, :width]
    for model in ("translation", "rigid", "homography"):
        found = align(source, target, model=model, similarity=similarity)
        if found.outcome.aligned:
            np.testing.assert_allclose(found.source_to_target[:2, 2], [2.0, 3.0], atol=0.3)


def test_steps_that_would_go_to_and_fro_come_to_rest() -> None:
    # A piece so small that the steps of both ways would end in a circle.
    image = cv2.resize(photograph("poster"), (320, 240), interpolation=cv2.INTER_AREA)
    size = image.shape[1::-1]
    truth = np.eye(3)
    truth[:2] = cv2.getRotationMatrix2D((size[0] / 2.0, size[1] / 2.0), 7.0, 1.0)
    truth[:2, 2] += 3.3, -2.1
    turned = cv2.warpAffine(
        image, truth[:2], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    piece = np.s_[150:214, 40:104]
    found = align(negative(turned)[piece], image[piece], similarity="gradient", model="rigid")
    assert found.outcome.aligned
    assert found.levels[-1].iterations < 12


@pytest.mark.parametrize("similarity", ["gradient", "intensity"])
def test_a_tolerance_below_the_rounding_of_pixels_is_reached(similarity: str) -> None:
    source, target, truth = moved_pair(negative if similarity == "gradient" else np.copy)
    found = align(source, target, similarity=similarity, model="homography", tolerance=1e-9)
    assert found.outcome.aligned
    assert corner_error(found.source_to_target, truth) < 0.1


@pytest.fixture
def views() -> tuple[View, View, NDArray[np.float64]]:
    """A source, a target, and the warp target -> source."""
    source, target, truth = moved_pair(negative)
    return view(source), view(target), inverse(truth)


@pytest.mark.parametrize("rows", [False, True])
def test_the_source_is_warped_once_for_the_points_and_for_the_rows_at_every_place(
    views: tuple[View, View, NDArray[np.float64]], rows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target, truth = views
    warped: list[NDArray[np.float64]] = []

    def remembered(*arguments: object, **named: object) -> object:
        warped.append(arguments[3])  # type: ignore[arg-type]
        return orientation_pair(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "orientation_pair", remembered)
    loss, model = LOSSES["tukey"], MODELS["translation"]
    near = shifted(0.5, 0.0) @ truth
    with Threads(1) as threads:
        both = Orientations(
            source, target, 1, loss=loss, threads=threads, rows=rows, uses_points=True
        )
        begin = State(near, Illumination.uniform())
        both.correlation(begin)
        equations = both.row_equations(model, 1) if rows else both.point_equations(begin, model, 0)
        for warp in (near, truth):
            state = State(at_level(warp, 1), Illumination.uniform())
            found = equations.at(state, None, with_matrix=True)
            assert found.matrix is not None
            step = np.linalg.solve(found.matrix, found.vector)
            # It is undone: the source lies half a pixel of full size too far, and then right.
            there = 0.5 * 0.5 / (max(equations.size) / 2.0) if warp is near else 0.0
            assert step[0] == pytest.approx(there, abs=6e-4)
    assert len(warped) == (2 if rows else 1)


def test_images_that_share_nothing_have_no_equations(
    views: tuple[View, View, NDArray[np.float64]],
) -> None:
    source, target, _ = views
    far = State(shifted(5000.0, 0.0), Illumination.uniform())
    settings = LevelSettings(MODELS["rigid"], LOSSES["tukey"], NO_TERMS, 5, 0.1)
    with Threads(1) as threads:
        both = Orientations(
            source, target, 0, loss=settings.loss, threads=threads, rows=True, uses_points=True
        )
        for equations in (
            both.point_equations(far, settings.model, NO_TERMS),
            both.row_equations(settings.model, 1),
        ):
            found = solve_level(equations, far, settings)
            assert found.status is Status.TOO_LITTLE_OVERLAP
            assert found.state is far
