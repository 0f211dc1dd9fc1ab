from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from align_cli import Aligner, Alignment
from tests.scenes import pair, render, textured

SIZE = (900, 700)


def aligned(*, mirrored: bool = False, **options: str) -> tuple[Alignment, Alignment]:
    """With the tiles that the verdict needs, and with all."""
    images = pair("rigid", seed=3, size=SIZE, noise=0.02)
    source = images.source[:, ::-1] if mirrored else images.source
    aligner = Aligner(images.target, model="rigid", **options)
    some, every = (
        aligner.align(source, allow_flip=mirrored, all_tiles=wanted) for wanted in (False, True)
    )
    return some, every


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("similarity", ["intensity", "gradient"])
def test_all_tiles_are_measured_and_nothing_else_changes(mirrored: bool, similarity: str) -> None:
    some, every = aligned(mirrored=mirrored, similarity=similarity)
    assert some.outcome.aligned
    assert some.mirrored == mirrored
    assert_array_equal(some.source_to_target, every.source_to_target)
    assert some.outcome == every.outcome
    assert some.displacements is not None
    assert every.displacements is not None
    few, all_of_them = some.displacements.field, every.displacements.field
    assert len(all_of_them) > len(few)
    assert every.displacements.median_px < 0.5
    # What both have measured is the same place.
    places = {tuple(each): k for k, each in enumerate(all_of_them.position)}
    shared = [(n, places[tuple(p)]) for n, p in enumerate(few.position) if tuple(p) in places]
    assert shared
    for n, k in shared[:20]:
        if few.matched[n] and all_of_them.matched[k]:
            assert_allclose(few.displacement[n], all_of_them.displacement[k], atol=0.3)


def test_without_displacements_there_is_nothing_to_add() -> None:
    flat = render(textured(5, size=(60, 50)), (60, 50))
    aligner = Aligner(np.random.default_rng(1).random((50, 60)), model="translation")
    far = np.eye(3)
    far[0, 2] = 59.0
    some, every = (aligner.align(flat, init=far, all_tiles=wanted) for wanted in (False, True))
    assert some.displacements is None
    assert every.displacements is None
    assert every.outcome == some.outcome


def test_gain_and_bias_are_those_of_full_scale() -> None:
    images = pair("rigid", seed=3, gain=1.2, bias=0.04)
    found = Aligner(images.target, model="rigid").align(images.source)
    assert found.gain == pytest.approx(1.2, abs=0.01)
    assert found.bias == pytest.approx(0.04, abs=0.01)
    assert found.source_size == images.source.shape[1::-1]
    assert found.target_size == images.target.shape[1::-1]
