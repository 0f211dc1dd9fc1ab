"""Pairs of levels under a warp that is somewhat wrong, for both kinds of equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from align_cli.engine.equations.illumination import Illumination
from align_cli.engine.geometry.models import MODELS
from align_cli.engine.images.luma import Luma
from align_cli.engine.images.pyramid import REACH, Level, pyramid
from align_cli.engine.numerics.losses import LOSSES
from align_cli.engine.target.planes import TargetPlanes, target_planes
from tests.scenes import motion, render, textured

SIZE = (67, 58)
# A lamp from one side and a vignette: every term of factor and offset differs from zero.
LIGHT = Illumination(
    np.array([0.85, 0.05, -0.04, -0.03, 0.02, -0.06]),
    np.array([0.06, -0.01, 0.02, 0.015, -0.01, 0.02]),
)
BORDER = REACH + 1

every_model = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))


def level_of(plane: np.ndarray, valid: np.ndarray | None = None) -> Level:
    return pyramid(Luma(plane.astype(np.float32), valid, 0.0, 1.0), 1)[0]


def hole(size: tuple[int, int], left: int, top: int) -> np.ndarray:
    valid = np.ones((size[1], size[0]), np.bool_)
    valid[top : top + 7, left : left + 9] = False
    return valid


@dataclass(frozen=True)
class Case:
    """A target, a source and a warp between them that is somewhat wrong."""

    target: Level
    source: Level
    warp: np.ndarray

    @property
    def planes(self) -> TargetPlanes:
        planes = target_planes(self.target)
        assert planes is not None
        return planes


def case(name: str) -> Case:
    scene = textured(7, size=SIZE)
    source_size = {"other size": (49, 75)}.get(name, SIZE)
    target = render(scene, SIZE)
    source = render(scene, source_size, motion("affine", SIZE, 1.0, 3), gain=1.1, bias=0.02)
    valid = {"holes": hole(SIZE, 11, 20)}.get(name)
    source_valid = {"holes": hole(source_size, 30, 33)}.get(name)
    moved = {"partial": 14.0}.get(name, 1.5)
    warp = motion("homography", SIZE, 1.5, 4, shift_px=0.0)
    warp = np.array([[1.0, 0.0, moved], [0.0, 1.0, -moved], [0.0, 0.0, 1.0]]) @ warp
    return Case(level_of(target, valid), level_of(source, source_valid), warp)


CASES = {name: case(name) for name in ("whole", "holes", "partial", "other size")}
