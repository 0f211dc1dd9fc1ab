from __future__ import annotations

import contextlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import inverse
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.options import INIT_NAMES, START_NAMES
from align_cli.engine.starts import GIVEN, IDENTITY, STARTS, chosen_starts, starting_warp
from tests.scenes import MODEL_NAMES, motion, render, textured

SIZE = (90, 70)


def test_the_names_are_those_of_the_registry() -> None:
    assert tuple(STARTS) == START_NAMES
    assert ("auto", *STARTS) == INIT_NAMES


@pytest.mark.parametrize("init", INIT_NAMES)
def test_a_name_begins_with_the_images_as_they_lie(init: str) -> None:
    names, warp = chosen_starts(init, MODELS["rigid"], SIZE)
    assert names == (tuple(STARTS) if init == "auto" else (init,))
    assert STARTS[IDENTITY] is STARTS[names[0]] or init != "auto"
    assert_array_equal(warp, np.eye(3))


def test_a_matrix_is_where_to_begin_and_nothing_else_is_tried() -> None:
    init = motion("rigid", SIZE, 8.0, 1)
    names, warp = chosen_starts(init, MODELS["rigid"], SIZE)
    assert names == (GIVEN,)
    assert_allclose(warp, inverse(init), atol=1e-9)


def test_an_unknown_name_lists_the_choices() -> None:
    with pytest.raises(ValueError, match=r"unknown init 'orb'.*auto, identity, .*features"):
        chosen_starts("orb", MODELS["rigid"], SIZE)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_start_goes_from_source_to_target_and_the_warp_back(name: str) -> None:
    init = motion(name, SIZE, 8.0, 1)
    assert_allclose(starting_warp(init, MODELS[name], SIZE), inverse(init), atol=1e-9)
    assert_allclose(starting_warp(-3.0 * init, MODELS[name], SIZE), inverse(init), atol=1e-9)
    assert_allclose(starting_warp(init.tolist(), MODELS[name], SIZE), inverse(init), atol=1e-9)


def test_a_start_outside_the_model_is_brought_into_it() -> None:
    init = motion("homography", SIZE, 8.0, 1)
    warp = starting_warp(init, MODELS["rigid"], SIZE)
    assert_allclose(warp[:2, :2] @ warp[:2, :2].T, np.eye(2), atol=1e-12)
    assert warp[2].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    "bad",
    [
        np.eye(2),
        np.full((3, 3), np.nan),
        np.diag([1.0, np.inf, 1.0]),
        np.diag([1.0, 1.0, 0.0]),
    ],
)
def test_what_is_no_transform_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"^init: .*must be a finite \(3, 3\) matrix"):
        starting_warp(bad, MODELS["affine"], SIZE)


@pytest.mark.parametrize(
    "bad", [np.diag([1.0, 0.0, 1.0]), np.ones((3, 3)), np.diag([1e-9, 1e-9, 1.0])]
)
def test_a_singular_start_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"^init: the initial transform is singular"):
        starting_warp(bad, MODELS["affine"], SIZE)


@pytest.mark.parametrize(
    "bad",
    [
        # The target's first pixel would come from infinity.
        np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]),
        # So would its last column.
        np.linalg.inv(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0 / 89.0, 0.0, 1.0]])),
    ],
)
@pytest.mark.parametrize("name", ["affine", "homography"])
def test_a_start_with_a_horizon_in_the_target_is_refused_or_leads_nowhere(
    name: str, bad: np.ndarray
) -> None:
    # Once red: a RuntimeWarning (division by zero), then LinAlgError from lstsq.
    image = render(textured(), SIZE)
    with contextlib.suppress(ImageError):
        assert not align(image, image, model=name, init=bad).outcome.aligned


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (
            np.array([[-1.0, 0.0, 89.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            r"mirrors .*--allow-flip",
        ),
        (
            np.linalg.inv(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-0.02, 0.0, 1.0]])),
            r"horizon .* crosses the target; check the matrix",
        ),
    ],
)
def test_a_mirror_image_and_a_horizon_are_told_apart(bad: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        starting_warp(bad, MODELS["homography"], SIZE)
