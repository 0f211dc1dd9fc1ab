from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.equations.state import State
from align_cli.engine.images.luma import luma
from align_cli.engine.images.pyramid import LazyFullSize, pyramid
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.numerics.threads import Threads
from align_cli.engine.solver.grey_values import GreyValues
from align_cli.engine.target.pixel_selection import target_points
from align_cli.engine.target.planes import target_planes
from tests.scenes import render, textured

SIZE = (120, 100)


@pytest.mark.parametrize("level", [0, 1])
def test_the_agreement_of_a_level_is_blind_to_the_mean_and_unknown_of_few_points(
    level: int,
) -> None:
    image = luma(render(textured(), SIZE, dtype="uint8"))
    pictures = pyramid(image, 2)
    seen, size = pictures[level], pictures[level].size
    with Threads(1) as threads:
        both = GreyValues(
            level, size, target_points(seen), None, seen, image, loss=LOSSES["l2"], threads=threads
        )

        def agreement(x: float, y: float) -> float:
            warp = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
            return both.correlation(State(warp, Illumination.uniform(2.0, 0.3)))

        assert agreement(0.0, 0.0) == pytest.approx(1.0, abs=1e-4)
        assert agreement(35.0, 28.0) < 0.5
        assert agreement(SIZE[0] - 9.0, SIZE[1] - 9.0) == -1.0
        assert agreement(500.0, 0.0) == -1.0


def test_a_large_source_is_not_looked_at_everywhere_where_its_rows_follow() -> None:
    image = luma(render(textured(), SIZE))
    level = pyramid(image, 1)[0]
    planes = target_planes(level)
    assert planes is not None
    with Threads(1) as threads:
        for source, rows in ((level, planes), (level, None), (LazyFullSize(image), planes)):
            both = GreyValues(
                0,
                SIZE,
                target_points(level),
                rows,
                source,
                image,
                loss=LOSSES["l2"],
                threads=threads,
            )
            assert both.uses_points is (source is level)
            assert (both.row_pixels > 0) is (rows is not None)
