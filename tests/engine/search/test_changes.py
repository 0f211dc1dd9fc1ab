"""Which illumination a comparison is under."""

from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.images.grey_range import GreyLevels
from align_cli.engine.images.luma import luma
from align_cli.engine.records import IlluminationRecord
from align_cli.engine.search.changes import changes

GAIN = IlluminationRecord(1.25 * np.eye(1, 6)[0], np.zeros(6))


def test_of_an_illumination_and_none_that_is_told_under_which_less_has_changed() -> None:
    """A gain explains five greys, but not the paper, which is larger than all of them."""
    target = np.ones((200, 300), np.float32)
    for number, grey in enumerate((0.2, 0.3, 0.4, 0.5, 0.6)):
        target[140 + 12 * number : 152 + 12 * number] = grey
    source = target.copy()
    source[140:] *= 0.8
    found = changes(
        [(luma(source), luma(target))],
        np.eye(3),
        GAIN,
        above_levels=4.0,
        levels=GreyLevels(1.0, 0.0),
    )
    (box,) = found.boxes
    assert box.y == pytest.approx(140, abs=3)
    assert found.share == pytest.approx(0.3, abs=0.03)
