"""What must hold for any transform and any picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from align_cli.engine.aligner import align
from align_cli.engine.geometry.coordinates import corner_error
from tests.scenes import DTYPES, MODEL_NAMES, motion, pair, render, textured

seeds = st.integers(0, 10_000)
models = st.sampled_from(MODEL_NAMES)
sizes = st.tuples(st.integers(90, 130), st.integers(90, 130))
few = settings(max_examples=25, deadline=None, derandomize=True)


@few
@given(seed=seeds, model=models, size=sizes, move_px=st.floats(0.0, 3.0))
def test_a_small_transform_is_recovered(
    seed: int, model: str, size: tuple[int, int], move_px: float
) -> None:
    truth = motion(model, size, move_px, seed)
    images = pair(truth, seed=seed, size=size)
    found = align(images.source, images.target, model=model)
    assert found.outcome.aligned
    assert images.error_px(found.source_to_target) < 0.025


@few
@given(seed=seeds, model=models, size=sizes, dtype=st.sampled_from(DTYPES))
def test_an_image_lies_on_itself(seed: int, model: str, size: tuple[int, int], dtype: str) -> None:
    image = render(textured(seed, size=size), size, dtype=dtype, noise=0.01)
    found = align(image, image, model=model)
    assert found.outcome.aligned
    assert_allclose(found.source_to_target, np.eye(3), rtol=0, atol=1e-5)


@few
@given(seed=seeds, model=models, size=sizes, noise=st.sampled_from([0.0, 0.005]))
def test_there_and_back_is_where_it_began(
    seed: int, model: str, size: tuple[int, int], noise: float
) -> None:
    images = pair(model, seed=seed, size=size, move_px=2.0, noise=noise)
    there = align(images.source, images.target, model=model)
    back = align(images.target, images.source, model=model)
    assert there.outcome.aligned
    assert back.outcome.aligned
    round_trip = back.source_to_target @ there.source_to_target
    assert corner_error(round_trip, np.eye(3), size) < (0.03 if noise == 0.0 else 0.12)
