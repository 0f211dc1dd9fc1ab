from __future__ import annotations

import numpy as np
import pytest

from align_cli.engine.motion import MODELS
from align_cli.engine.photometry import Light
from align_cli.engine.place import Place
from align_cli.engine.pyramid import Level
from align_cli.engine.targets import target_planes
from align_cli.engine.texture import shared_texture
from tests.scenes import render, textured

SIZE = (64, 50)


def texture_of(
    source: np.ndarray,
    target: np.ndarray,
    warp: np.ndarray,
    model: str,
    gain: float = 1.0,
    bias: float = 0.0,
) -> float:
    levels = Level(source.astype(np.float32), None), Level(target.astype(np.float32), None)
    planes = target_planes(levels[1])
    assert planes is not None
    place = Place(warp, Light.uniform(gain, bias))
    return shared_texture(*levels, planes, place, MODELS[model])


@pytest.mark.parametrize("model", list(MODELS))
def test_a_picture_shares_all_texture_with_itself_and_none_with_its_negative(model: str) -> None:
    one = render(textured(1), SIZE)
    assert texture_of(one, one, np.eye(3), model) == pytest.approx(1.0, abs=1e-4)
    assert texture_of(1.0 - one, one, np.eye(3), model, -1.0, 1.0) == (
        pytest.approx(-1.0, abs=1e-4)
    )
    bright = 3.0 * one + 5.0
    assert texture_of(bright, one, np.eye(3), model, 3.0, 5.0) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("model", ["translation", "rigid", "affine"])
def test_noise_is_no_texture(model: str) -> None:
    numbers = np.random.default_rng(0)
    stripes = np.tile(np.sin(np.arange(200) / 3.0), (150, 1))
    source, target = (stripes + numbers.normal(0.0, 0.3, stripes.shape) for _ in range(2))
    assert abs(texture_of(source, target, np.eye(3), model)) < 0.1


def test_the_share_of_texture_is_what_noise_leaves() -> None:
    # Gradients of unit variance, noise whose gradients have variance 1/3: 1 / (1 + 1/3).
    numbers = np.random.default_rng(1)
    scene = numbers.normal(size=(300, 400))
    source, target = (scene + numbers.normal(0.0, 3.0**-0.5, scene.shape) for _ in range(2))
    assert texture_of(source, target, np.eye(3), "translation") == pytest.approx(0.75, abs=0.02)
