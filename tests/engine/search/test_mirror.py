from __future__ import annotations

import numpy as np
import pytest

from align_cli import Aligner, align
from align_cli.engine.errors import ImageError
from align_cli.engine.geometry.coordinates import corner_error, map_points, unit
from align_cli.engine.search.mirror import mirror
from tests.photographs import cut, photograph, quarter_turns, shifted

SIZE = (300, 220)
FLIP = mirror(SIZE[0])


def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A mirrored source, the target, and the transform between them."""
    image = photograph("poster")
    source = np.ascontiguousarray(cut(image, SIZE, 60, 40)[:, ::-1])
    return source, cut(image, SIZE, 50, 45), shifted(10, -5) @ FLIP


def test_a_mirror_is_its_own_inverse() -> None:
    np.testing.assert_array_equal(FLIP @ FLIP, np.eye(3))
    np.testing.assert_array_equal(map_points(FLIP, np.array([[0.0, 7.0]])), [[299.0, 7.0]])


def test_a_mirrored_source_is_refused_unless_it_is_allowed() -> None:
    source, target, truth = pair()
    assert not align(source, target, model="rigid").outcome.aligned
    found = align(source, target, model="rigid", allow_flip=True)
    assert found.outcome.aligned
    assert found.mirrored
    assert corner_error(found.source_to_target, truth, SIZE) < 0.02
    np.testing.assert_allclose(
        found.target_to_source @ found.source_to_target, np.eye(3), atol=1e-9
    )
    np.testing.assert_allclose(found.parameters["shift_px"], [10.0, -5.0], atol=0.02)
    warped = found.warp(source)
    known = warped > 0
    assert np.abs(warped[known].astype(float) - target[known]).mean() < 5.0


def test_what_is_not_mirrored_stays_so() -> None:
    source, target, truth = pair()
    found = align(source[:, ::-1], target, model="rigid", allow_flip=True)
    assert found.outcome.aligned
    assert not found.mirrored
    assert corner_error(found.source_to_target, truth @ FLIP, SIZE) < 0.02


def test_turned_and_mirrored() -> None:
    image = photograph("scan")
    turned, truth = quarter_turns(image, 1)
    source = np.ascontiguousarray(turned[:, ::-1])
    found = Aligner(image, model="rigid").align(source, allow_flip=True)
    assert found.outcome.aligned
    assert found.mirrored
    expected = truth @ mirror(source.shape[1])
    assert corner_error(found.source_to_target, expected, source.shape[::-1]) < 0.05


def test_a_start_that_mirrors_settles_the_question() -> None:
    source, target, truth = pair()
    found = align(source, target, model="rigid", init=truth, allow_flip=True)
    assert found.outcome.aligned
    assert found.mirrored
    assert found.start == "given"
    assert corner_error(found.source_to_target, truth, SIZE) < 0.02
    with pytest.raises(ImageError, match="mirrors the target"):
        align(source, target, model="rigid", init=truth)


def test_the_uncertainty_is_that_of_the_source() -> None:
    source, target, _ = pair()
    found = align(source, target, allow_flip=True)
    plain = align(np.ascontiguousarray(source[:, ::-1]), target)
    assert found.uncertainty is not None
    assert plain.uncertainty is not None
    np.testing.assert_allclose(
        found.uncertainty.corners_px, plain.uncertainty.corners_px[[1, 0, 3, 2]]
    )
    # The covariance as differences have it: entries drawn for the mirror image, then mirrored.
    rng = np.random.default_rng(0)
    entries = plain.source_to_target.ravel()[:8]
    root = np.linalg.cholesky(plain.uncertainty.covariance + 1e-24 * np.eye(8))
    drawn = [np.append(entries + root @ rng.normal(size=8), 1.0) for _ in range(20000)]
    flipped = np.array([unit(each.reshape(3, 3) @ FLIP).ravel()[:8] for each in drawn])
    expected = np.sqrt(flipped.var(axis=0))
    np.testing.assert_allclose(np.sqrt(np.diag(found.uncertainty.covariance)), expected, rtol=0.03)


def test_unlike_images_stay_unlike() -> None:
    source, target = photograph("poster"), photograph("scan")
    found = align(source, target, allow_flip=True)
    assert not found.outcome.aligned
    assert not found.mirrored
