from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli.engine.aligner import align, residual
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.models import MODELS, describe
from align_cli.engine.records import Outcome, Status
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
    difference, overlap = residual(MADE.source, MADE.target, found)
    expected = found.warp(MADE.source) - MADE.target
    assert_allclose(difference[overlap], expected[overlap], atol=1e-5)
    assert overlap.mean() == pytest.approx(found.quality.overlap)


def test_identical_images_warp_onto_themselves_whole() -> None:
    # Once red: see test_a_border_survives_what_rounding_does_to_an_identity.
    same = Pair(MADE.target, MADE.target, np.eye(3))
    found = align(same.source, same.target, model="translation")
    warped = found.warp(same.source, fill=np.nan)
    assert np.isfinite(warped).all()
    assert_allclose(warped, same.target, atol=1e-5)
