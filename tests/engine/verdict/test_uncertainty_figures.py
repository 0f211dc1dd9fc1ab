"""The "+-" is as large as the error: pairs whose true displacements are known."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.aligner import align
from align_cli.engine.geometry.models import MODELS
from benchmarks.bent_pairs import lens, small
from benchmarks.sufficiency import Row, displacement, exact_row, overlap, ratio, row, smooth_row

PAIRS = 8
"""Of each model."""

SEED = 1


def test_of_few_tiles_the_error_is_as_large_as_told() -> None:
    """Together: of one pair alone the quotient is anything from 0.1 to 2."""
    rows: list[Row] = []
    for number, model in enumerate(MODELS):
        kind = small(model)
        of_model = [row(kind, exact_row, [SEED, number, index]) for index in range(PAIRS)]
        assert sum(bool(each.ratios) for each in of_model) >= PAIRS // 3
        rows += of_model
    told = [each for each in rows if each.ratios]
    assert len(told) >= 0.6 * len(rows)
    assert 0.7 < ratio(told) < 1.4
    # Nor is it one large quotient among many small ones.
    of_pairs = [float(np.sqrt(np.square(each.ratios).mean())) for each in told]
    assert 0.45 < np.median(of_pairs) < 1.2


@pytest.mark.parametrize("seed", [1, 4, 6])
def test_under_a_lens_it_is_no_smaller_than_half_of_the_error(seed: int) -> None:
    pair = lens(np.random.default_rng(seed))
    found = align(pair.source, pair.target, model=pair.model)
    left = displacement(pair, found.source_to_target)[overlap(pair, found)]
    error_px = float(np.hypot(*left.T).mean())
    assert error_px > 0.5
    assert found.uncertainty is not None
    assert 0.5 * error_px < found.uncertainty.mean_px < 2.0 * error_px
    # And as large as least squares over the overlap would move the answer.
    assert 0.7 < smooth_row(pair, found).ratios[0] < 1.4
