from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import Aligner, align
from align_cli.engine.equations import dense as moments
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import corner_error
from align_cli.engine.images import luma as luma_module
from align_cli.engine.images.pyramid import level_count
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.options import DEFAULTS
from align_cli.engine.records import LevelRecord, Status, Verdict
from align_cli.engine.search import intensity as intensity_module
from align_cli.engine.search import quality
from align_cli.engine.solver.covariance import uncertainty
from align_cli.engine.solver.gauss_newton import STEP_MARGIN, SolvedPlane
from align_cli.engine.solver.level_solver import COARSE_TOLERANCE_PX, LEAST_RATIO
from align_cli.engine.target import row_budget as row_choice
from tests.photographs import NAMES, cut, photograph
from tests.scenes import (
    DTYPES,
    MODEL_NAMES,
    Pair,
    about,
    motion,
    pair,
    pixel_grid,
    render,
    stripes,
    textured,
)

# What linear sampling of pictures smoothed by 0.8 px leaves: measured 0.001 to 0.010 px.
LIMIT_PX = {
    "translation": 0.005,
    "rigid": 0.005,
    "similarity": 0.006,
    "affine": 0.008,
    "homography": 0.015,
}


def same(one: Any, other: Any) -> bool:
    """Equal in every bit, NaN included, whatever records and containers they are in."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and one.tobytes() == other.tobytes()
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Mapping):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


@pytest.mark.parametrize("swapped", [False, True])
def test_eight_bits_kept_in_sixteen_are_the_same_image(swapped: bool) -> None:
    of_8, of_16 = (photograph("poster")[20:220, 30:330] for _ in range(2))
    pair = of_8, np.roll(of_16, 2, 1).astype(np.uint16)
    found = align(*(reversed(pair) if swapped else pair), model="translation")
    assert found.outcome.aligned
    assert found.gain == pytest.approx(1 / 257 if swapped else 257, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("model", MODEL_NAMES)
def test_a_known_warp_is_found_to_a_hundredth_of_a_pixel(model: str, seed: int) -> None:
    images = pair(model, seed=seed)
    found = align(images.source, images.target, model=model)
    assert found.outcome.status is Status.CONVERGED
    assert images.error_px(found.source_to_target) < LIMIT_PX[model]
    assert images.error_px(np.eye(3)) > 1.0
    assert found.quality.after.zncc > 0.999 > found.quality.before.zncc
    assert found.quality.after.rmse < 0.005 < found.quality.before.rmse


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("photometric", [True, False])
def test_every_loss_finds_it(loss: str, photometric: bool) -> None:
    images = pair("affine", seed=2, dtype="uint16")
    found = align(images.source, images.target, model="affine", loss=loss, photometric=photometric)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.01


@pytest.mark.parametrize("target_channels", [0, 3, 4])
@pytest.mark.parametrize("source_channels", [0, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kinds_depths_and_sizes_may_differ(
    dtype: str, source_channels: int, target_channels: int
) -> None:
    images = pair(
        "affine",
        seed=3,
        size=(151, 117),
        source_size=(140, 133),
        move_px=3.0,
        dtype=dtype,
        source_dtype=DTYPES[(DTYPES.index(dtype) + source_channels) % 4],
        channels=target_channels,
        source_channels=source_channels,
    )
    found = align(images.source, images.target, model="affine")
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.01
    assert found.gain == pytest.approx(1.0, abs=0.005)
    assert found.bias == pytest.approx(0.0, abs=0.003)


@pytest.mark.parametrize("size", [(100, 100), (101, 100), (100, 101), (103, 97), (199, 67)])
@pytest.mark.parametrize("model", ["rigid", "homography"])
def test_odd_sizes_are_no_worse(model: str, size: tuple[int, int]) -> None:
    images = pair(model, seed=1, size=size, move_px=3.0)
    found = align(images.source, images.target, model=model)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.015


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_swapping_the_images_gives_the_inverse(model: str) -> None:
    images = pair(model, seed=5)
    there = align(images.source, images.target, model=model)
    back = align(images.target, images.source, model=model)
    assert there.outcome.aligned
    assert back.outcome.aligned
    size = images.source_size
    assert corner_error(back.target_to_source, there.source_to_target, size) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_averaged_away(seed: int) -> None:
    images = pair("rigid", seed=seed, noise=0.02)
    found = align(images.source, images.target, model="rigid")
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.06
    last = found.levels[-1]
    assert last.rmse == pytest.approx(0.02 * 0.37 * 2**0.5, rel=0.25)  # what the smoothing leaves


@pytest.mark.parametrize("seed", [0, 2, 3])
@pytest.mark.parametrize("model", ["similarity", "homography"])
def test_a_fifth_may_be_hidden(model: str, seed: int) -> None:
    images = pair(model, seed=seed, occluded=0.2, gain=0.85, bias=0.06)
    found = align(images.source, images.target, model=model)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.04
    assert found.gain == pytest.approx(0.85, abs=0.01)


@pytest.mark.parametrize("shift_px", [12.0, 25.0])
def test_a_pyramid_reaches_far(shift_px: float) -> None:
    truth = motion("rigid", (160, 120), 5.0, 1)
    truth[:2, 2] += [shift_px, -0.5 * shift_px]
    images = pair(truth, seed=1)
    found = align(images.source, images.target, model="rigid")
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.01


def far_pair() -> Pair:
    truth = about((160, 120), np.array([[0.0, -1.0, 9.0], [1.0, 0.0, 4.0], [0.0, 0.0, 1.0]]))
    return pair(truth, seed=4)  # a quarter turn


def test_a_start_is_honoured() -> None:
    images = far_pair()
    lost = align(images.source, images.target, model="rigid", init="identity")
    assert images.error_px(lost.source_to_target) > 5.0
    init = images.source_to_target.copy()
    init[:2, 2] += [2.5, -1.5]
    found = align(images.source, images.target, model="rigid", init=init)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.01
    # Before is what the start gives, not what the identity gives.
    at_truth = align(images.source, images.target, model="rigid", init=images.source_to_target)
    assert found.quality.before.zncc < at_truth.quality.before.zncc
    assert at_truth.quality.before.zncc > 0.999


def test_a_start_outside_the_model_is_brought_into_it() -> None:
    images = far_pair()
    init = images.source_to_target @ motion("homography", (160, 120), 2.0, 8)
    found = align(images.source, images.target, model="rigid", init=init)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.01
    linear = found.source_to_target[:2, :2]
    assert_allclose(linear @ linear.T, np.eye(2), atol=1e-12)
    assert found.source_to_target[2].tolist() == [0.0, 0.0, 1.0]


def test_a_start_that_is_no_transform_is_refused() -> None:
    images = far_pair()
    with pytest.raises(ImageError, match=r"^init: the initial transform is singular"):
        align(images.source, images.target, init=np.zeros((3, 3)) + np.diag([0.0, 0.0, 1.0]))


def test_what_is_not_a_number_takes_no_part() -> None:
    images = pair("affine", seed=2)
    images.source[20:45, 30:70] = np.nan
    images.target[80:95, 90:130] = np.inf
    found = align(images.source, images.target, model="affine")
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.01
    assert found.quality.overlap < 0.92
    assert found.quality.after.rmse < 0.005


def test_what_lies_under_transparent_pixels_changes_no_bit() -> None:
    images = pair("affine", seed=2, dtype="uint8", channels=4)
    images.source[20:45, 30:70, 3] = 0
    images.target[80:95, 90:130, 3] = 0
    found = align(images.source, images.target, model="affine")
    assert images.error_px(found.source_to_target) < 0.01
    numbers = np.random.default_rng(0)
    images.source[20:45, 30:70, :3] = numbers.integers(0, 255, (25, 40, 3))
    images.target[80:95, 90:130, :3] = 255
    assert same(align(images.source, images.target, model="affine"), found)


def test_a_mask_near_the_border_of_a_wide_scene_counts_as_a_border() -> None:
    images = pair("homography", seed=6, size=(180, 130), move_px=3.0)
    for image in (images.source, images.target):
        image[:13] = np.nan
        image[:, -9:] = np.nan
    found = align(images.source, images.target)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.02


def test_an_aligner_gives_the_bits_of_align_for_every_source() -> None:
    target = pair(seed=7).target
    aligner = Aligner(target, model="homography")
    # Sizes that need fewer levels, then more: what the aligner keeps must not depend on them.
    sources = [
        pair("affine", seed=7, source_size=size, move_px=move).source
        for size, move in (((60, 50), 1.0), ((160, 120), 3.0), ((100, 80), 2.0), ((160, 120), 3.0))
    ]
    reused = [aligner.align(source) for source in sources]
    for source, found in zip(sources, reused, strict=True):
        assert same(align(source, target), found)
    assert len(reused[0].levels) < len(reused[1].levels)


def test_a_target_may_be_changed_after_its_aligner_is_made() -> None:
    images = pair("rigid", seed=7)
    target = images.target.copy()
    aligner = Aligner(target, model="rigid")
    target[:] = 0.0
    expected = align(images.source, images.target, model="rigid")
    assert same(aligner.align(images.source), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_inputs_stay_as_they_are_and_may_be_read_only(dtype: str) -> None:
    images = pair("affine", seed=1, dtype=dtype, channels=3)
    before = images.source.copy(), images.target.copy()
    images.source.flags.writeable = images.target.flags.writeable = False
    init = np.eye(3)
    init.flags.writeable = False
    align(images.source, images.target, model="affine", init=init)
    assert_array_equal(images.source, before[0])
    assert_array_equal(images.target, before[1])


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
def test_layout_in_memory_makes_no_difference(dtype: str) -> None:
    images = pair("affine", seed=1, dtype=dtype, channels=3)
    found = align(images.source, images.target, model="affine")
    turned = [np.asfortranarray(image) for image in (images.source, images.target)]
    assert same(align(*turned, model="affine"), found)
    strided = [np.repeat(image, 2, axis=1)[:, ::2] for image in (images.source, images.target)]
    assert same(align(*strided, model="affine"), found)
    swapped = [
        image.astype(image.dtype.newbyteorder(">")) for image in (images.source, images.target)
    ]
    assert same(align(*swapped, model="affine"), found)


def test_results_do_not_depend_on_threads_nor_on_the_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moments, "STRIP_PIXELS", 1500)
    images = pair(seed=3, noise=0.02, occluded=0.1)
    found = align(images.source, images.target, threads=1)
    for threads in (1, 2, 3, 4, None):
        assert same(align(images.source, images.target, threads=threads), found)


def test_there_is_a_record_of_every_level_from_coarse_to_fine() -> None:
    images = pair(seed=3, size=(161, 123), noise=0.01)
    records: list[LevelRecord] = []
    found = Aligner(images.target).align(images.source, progress=records.append)
    # Once red: progress is told the RMSE in units of the normalised plane, the result has
    # it in full scale.
    assert tuple(records) == found.levels
    count = level_count((161, 123))
    assert [record.level for record in records] == list(reversed(range(count)))
    for record in records:
        step = 2**record.level
        assert (record.width, record.height) == (-(-161 // step), -(-123 // step))
        assert record.iterations >= 1
        assert record.status is Status.CONVERGED
        # The next step is foretold, and not made.
        limit = (0.05 if record.level == 0 else COARSE_TOLERANCE_PX) / (STEP_MARGIN * LEAST_RATIO)
        assert 0.0 <= record.last_step_px <= limit
        assert 0.0 < record.rmse < 0.1
    assert records[-1].rmse < 0.01


@pytest.mark.parametrize("preset", ["balanced", "precise"])
def test_the_path_leads_from_the_start_to_the_result(preset: str) -> None:
    both = pair("affine", seed=1)
    found = align(both.source, both.target, model="affine", preset=preset)
    assert len(found.path) == 1 + len(found.levels)
    assert_array_equal(found.path[0], np.eye(3))
    assert_array_equal(found.path[-1], found.source_to_target)
    size = found.source_size
    coarsest, finest = (corner_error(found.path[n], found.path[-1], size) for n in (1, -2))
    assert finest < coarsest


def test_the_path_of_a_mirrored_source_is_that_of_the_source() -> None:
    both = pair("rigid", seed=1)
    flipped = np.ascontiguousarray(both.source[:, ::-1])
    found = align(flipped, both.target, model="rigid", allow_flip=True)
    assert found.mirrored
    assert_allclose(found.path[-1], found.source_to_target, rtol=1e-12)
    assert np.linalg.det(found.path[0]) < 0.0


def test_a_failed_alignment_tells_where_it_searched() -> None:
    rng = np.random.default_rng(1)
    source, target = (rng.integers(0, 256, (96, 120), np.uint8) for _ in range(2))
    found = align(source, target)
    assert found.outcome.verdict is Verdict.FAILED
    assert found.searched
    assert all(each.start and 0.0 <= each.share <= 1.0 for each in found.searched)
    both = pair("rigid", seed=1)
    assert align(both.source, both.target).searched == ()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_rmse_of_a_level_is_in_full_scale_units_of_the_target(dtype: str) -> None:
    images = pair("rigid", seed=3, noise=0.02, dtype=dtype, gain=0.8, bias=0.1)
    expected = align(*(getattr(pair("rigid", seed=3, noise=0.02, gain=0.8, bias=0.1), side)
                       for side in ("source", "target")), model="rigid")  # fmt: skip
    found = align(images.source, images.target, model="rigid")
    assert found.levels[-1].rmse == pytest.approx(expected.levels[-1].rmse, rel=0.02)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_levels_can_be_limited(levels: int) -> None:
    images = pair("rigid", seed=3, move_px=1.0)
    found = align(images.source, images.target, model="rigid", levels=levels)
    assert len(found.levels) == levels
    assert images.error_px(found.source_to_target) < 0.01


def test_more_levels_than_the_images_carry_are_as_many_as_they_carry() -> None:
    images = pair("rigid", seed=3)
    found = align(images.source, images.target, model="rigid", levels=50)
    assert len(found.levels) == level_count((160, 120))


def test_iterations_are_limited_and_the_limit_is_told() -> None:
    images = pair("rigid", seed=3)
    found = align(
        images.source,
        images.target,
        model="rigid",
        levels=1,
        max_iterations=1,
        photometric=False,
        init="identity",
    )
    assert found.outcome.status is Status.ITERATION_LIMIT
    # One for each rung of the ladder, translation and rigid, and one with all rows.
    assert found.levels[0].iterations == 3
    assert "did not converge within " in found.outcome.sentence


def test_a_finer_tolerance_ends_with_a_smaller_step() -> None:
    images = pair("affine", seed=3, occluded=0.2)
    loose = align(images.source, images.target, model="affine", tolerance=0.5)
    tight = align(images.source, images.target, model="affine", tolerance=1e-5)
    assert tight.levels[-1].last_step_px <= 5e-5
    assert sum(r.iterations for r in loose.levels) < sum(r.iterations for r in tight.levels)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_stripes_are_never_aligned(model: str) -> None:
    # The shift is across the stripes, plain to see, and still one direction is free.
    found = align(stripes(shift=2.0), stripes(), model=model)
    assert found.outcome.status is Status.SINGULAR
    assert found.source_to_target[2, 2] == 1.0
    assert np.isfinite(found.source_to_target).all()


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_a_ramp_is_never_aligned(model: str) -> None:
    x, y = pixel_grid((90, 80))
    ramp = np.round(x + y).astype(np.uint8)
    assert not align(ramp, ramp + 1, model=model).outcome.aligned


def test_a_nearly_flat_target_is_never_aligned() -> None:
    target = np.full((80, 90), 100, np.uint8)
    target[40, 45] = 101
    source = render(textured(), (90, 80), dtype="uint8")
    assert not align(source, target).outcome.aligned


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_noise_is_never_aligned_with_a_picture(model: str) -> None:
    # Once red: the solver converges somewhere, a ZNCC of 0.03 is above that of the start,
    # and the outcome says that the images are aligned.
    for seed in (4, 8, 14, 17, 29):
        noise = np.random.default_rng(seed).normal(0.5, 0.1, (120, 160))
        found = align(noise, render(textured(seed + 500), (160, 120)), model=model)
        assert not found.outcome.aligned, (seed, found.quality)


def test_a_negative_is_not_aligned() -> None:
    target = render(textured(), (120, 100), dtype="uint8")
    found = align(255 - target, target)
    assert not found.outcome.aligned


def test_images_that_do_not_meet_are_not_aligned() -> None:
    images = pair("translation", seed=1)
    init = np.array([[1.0, 0.0, 400.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = align(images.source, images.target, model="translation", init=init)
    assert found.outcome.status is Status.TOO_LITTLE_OVERLAP
    assert "(0% of the target)" in found.outcome.sentence
    assert_allclose(found.source_to_target, init)


def test_only_invalid_neighbourhoods_are_refused() -> None:
    target = render(textured(), (60, 60))
    target[::5, ::5] = np.nan
    with pytest.raises(ImageError, match=r"^target: no pixel is far enough from excluded pixels"):
        align(render(textured(), (60, 60)), target)


@pytest.mark.parametrize("call", [Aligner, align])
def test_an_unknown_option_is_refused_by_name(call: type) -> None:
    image = render(textured(), (40, 40))
    arguments = (image,) if call is Aligner else (image, image)
    with pytest.raises(TypeError, match="modle"):
        call(*arguments, modle="rigid")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"model": "elastic"}, "unknown model 'elastic'; choose one of translation"),
        ({"loss": "cauchy"}, "unknown loss 'cauchy'; choose one of l2"),
        ({"levels": 0}, "levels must be a whole number of at least 1"),
        ({"max_iterations": 0}, "max_iterations must be a whole number of at least 1"),
        ({"tolerance": 0.0}, "tolerance must be above 0 px"),
    ],
)
def test_an_option_without_sense_is_refused(option: dict, message: str) -> None:
    image = render(textured(), (40, 40))
    with pytest.raises(ValueError, match=message):
        align(image, image, **option)


def test_the_smallest_images_are_solved_but_too_small_to_be_vouched_for() -> None:
    image = render(textured(), (8, 8))
    found = align(image, image, model="translation")
    # Spline coefficients are rounded to float32.
    assert_allclose(found.source_to_target, np.eye(3), atol=1e-5)
    assert found.outcome.status is Status.SINGULAR
    assert found.displacements is None


@pytest.mark.parametrize("name", NAMES)
def test_small_images_align(name: str) -> None:
    image, size = photograph(name), (72, 72)
    found = align(cut(image, size, 152, 101), cut(image, size, 150, 100), model="translation")
    assert found.outcome.aligned, found.outcome.sentence
    assert_allclose(found.source_to_target[:2, 2], [2.0, 1.0], atol=0.1)


def test_coarse_levels_need_not_be_as_exact_as_the_last() -> None:
    images = pair("homography", seed=3, noise=0.02)
    found = align(images.source, images.target)
    coarse = [record.last_step_px for record in found.levels[:-1]]
    assert max(coarse) > DEFAULTS.tolerance_px
    assert max(coarse) <= COARSE_TOLERANCE_PX / (STEP_MARGIN * LEAST_RATIO)
    strict = align(images.source, images.target, tolerance=1e-6)
    between = corner_error(found.source_to_target, strict.source_to_target, (160, 120))
    assert found.uncertainty is not None
    assert between < 0.3 * found.uncertainty.max_px


def test_where_coarse_levels_are_led_astray_finer_ones_are_tried() -> None:
    size = 240, 180
    images = pair("homography", seed=10, size=size, move_px=8.0, occluded=0.25, gain=1.3)
    found = align(images.source, images.target)
    assert found.outcome.aligned
    assert len(found.levels) < level_count(size)
    assert images.error_px(found.source_to_target) < 0.02


def test_a_source_full_of_holes_cannot_speak_against_an_alignment() -> None:
    images = pair("translation", seed=2, size=(120, 90), noise=0.05)
    source = images.source.copy()
    source[::9, ::9] = np.nan
    assert align(source, images.target, model="translation").outcome.status in Status


def test_a_refinement_too_long_for_cv2_is_left_out() -> None:
    long = render(textured(2), (17000, 24))
    found = align(long, long, model="translation", preset="precise")
    assert found.outcome.aligned
    assert [record.level for record in found.levels].count(0) == 1


@pytest.mark.parametrize("preset", ["fast", "balanced"])
@pytest.mark.parametrize("model", ["rigid", "homography"])
def test_of_large_images_only_some_rows_are_looked_at(
    model: str, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (300, 900)
    images = pair(model, seed=3, size=size, move_px=6.0, noise=0.0003)
    looked_at, of_noise = [], []

    def remembered(solved: SolvedPlane, *arguments: Any) -> Any:
        looked_at.append(solved.target)
        of_noise.append(uncertainty(solved, *arguments))
        return of_noise[-1]

    monkeypatch.setattr(intensity_module, "uncertainty", remembered)
    align(images.source, images.target, model=model, preset=preset)
    monkeypatch.setattr(row_choice, "ENOUGH_PIXELS", 1 << 14)
    part = align(images.source, images.target, model=model, preset=preset)
    assert part.outcome.aligned
    assert looked_at[0].bands.all_rows
    assert not looked_at[1].bands.all_rows
    assert of_noise[1].mean_px > of_noise[0].mean_px
    limit = 0.05 if preset == "fast" else 0.02
    assert corner_error(part.source_to_target, images.source_to_target, size) < limit


@pytest.mark.parametrize("top", [130, 300, 477, 610])
def test_texture_between_the_bands_is_found(top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_choice, "ENOUGH_PIXELS", 1 << 13)
    target = np.full((900, 300), 200, np.uint8)
    target[top : top + 60, 40:260] = render(textured(2, size=(220, 60)), (220, 60), dtype="uint8")
    source = np.roll(target, (2, 1), axis=(0, 1))
    found = align(source, target, model="translation")
    assert found.outcome.aligned
    assert_allclose(found.source_to_target[:2, 2], [-1.0, -2.0], atol=0.05)


@pytest.mark.parametrize("top", [100, 290, 333, 600])
def test_a_small_source_between_the_bands_is_aligned(
    top: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_choice, "ENOUGH_PIXELS", 1 << 13)
    monkeypatch.setattr(quality, "MOST_MEASURED", 1 << 13)
    target = render(textured(2, size=(300, 900)), (300, 900), dtype="uint8", noise=0.01)
    source = target[top : top + 90, 50:170]
    init = np.array([[1.0, 0.0, 51.5], [0.0, 1.0, top - 1.0], [0.0, 0.0, 1.0]])
    found = Aligner(target, model="translation").align(source, init=init)
    assert found.outcome.aligned
    assert_allclose(found.source_to_target[:2, 2], [50.0, top], atol=0.02)
    assert found.quality.overlap == pytest.approx(source.size / target.size, rel=1e-6)


def test_a_target_may_be_changed_once_its_aligner_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pair("rigid", seed=3, dtype="uint8")
    expected = align(images.source, images.target, model="rigid")
    monkeypatch.setattr(luma_module, "LARGE_PIXELS", 0)
    target = images.target.copy()
    aligner = Aligner(target, model="rigid")
    target[:] = 0
    found = aligner.align(images.source)
    assert found.outcome.aligned
    assert_allclose(found.source_to_target, expected.source_to_target, atol=1e-3)


@pytest.mark.parametrize("threads", [1, 3])
def test_all_that_is_done_uses_as_many_threads_as_asked_for(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = set()
    made = Threads.__init__

    def remembered(self: Threads, count: int | None = None) -> None:
        made(self, count)
        counts.add(self.count)

    monkeypatch.setattr(Threads, "__init__", remembered)
    images = pair("rigid", seed=3, dtype="uint8")
    Aligner(images.target, model="rigid", threads=threads).align(images.source)
    align(images.source, images.target, model="rigid", threads=threads)
    assert counts == {threads}


@pytest.mark.parametrize("preset", ["fast", "balanced"])
@pytest.mark.parametrize("gain", [0.7, 1.3])
def test_noise_does_not_pull_the_gain(gain: float, preset: str) -> None:
    # As strong as the picture itself: a plain fit of the one to the other halves the gain.
    images = pair("translation", seed=4, size=(200, 160), noise=0.1, gain=gain, bias=0.1)
    found = align(0.4 * images.source, 0.4 * images.target, model="translation", preset=preset)
    assert found.gain == pytest.approx(gain, rel=0.08)


def test_an_aligner_shows_itself_in_a_line() -> None:
    target = pair("rigid", seed=3).target
    assert repr(Aligner(target)) == "<Aligner homography: target 160x120 px>"
    aligner = Aligner(target, model="rigid", loss="l2", max_shift=40)
    assert repr(aligner) == "<Aligner rigid: target 160x120 px, loss='l2', max_shift=40>"


def test_no_options_take_more_than_a_line() -> None:
    limits = dict.fromkeys(("max_shift", "max_rotation", "max_scale", "max_shear"), 12.345678901)
    others = {"min_overlap": 0.123456789, "min_score": 0.123456789, "accept_residual": 1.23456789}
    aligner = Aligner(
        pair("rigid", seed=3).target,
        preset="precise",
        loss="geman-mcclure",
        photometric=False,
        similarity="auto",
        levels=2,
        max_iterations=12345,
        tolerance=1e-9,
        keep_fixed_pattern=True,
        channel="all",
        ignore_alpha=True,
        **limits,
        **others,
    )
    assert len(repr(aligner)) < 300
    assert repr(aligner).endswith(" ...>")
