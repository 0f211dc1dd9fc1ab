"""Pairs that cannot be aligned, as unlike images: whatever comes of them must not be called so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.scenes import Floats, Frame, Image, exposed
from benchmarks.unlike_scenes import RENDERINGS

Pair = tuple[Image, Image]


def impostors(
    stage: list[Frame], sigma: float, rng: np.random.Generator
) -> dict[str, Iterator[Pair]]:
    """Source and target, by their kind; the source goes through every rendering in turn."""
    pictures = [frame.target for frame in stage]

    def pairs(sides: Iterator[tuple[Floats, Floats]]) -> Iterator[Pair]:
        for index, (source, target) in enumerate(sides):
            rendering = tuple(RENDERINGS.values())[index % len(RENDERINGS)]
            yield exposed(rendering(source, rng), sigma, rng), exposed(target, sigma, rng)

    return {
        "different photographs": pairs(_different(pictures)),
        "different photographs, one size": pairs(map(_same_size, _different(pictures))),
        "apart in one photograph": pairs(_apart(pictures)),
    }


def _different(pictures: list[Floats]) -> Iterator[tuple[Floats, Floats]]:
    for one in pictures:
        for other in pictures:
            if one is not other:
                yield one, other


def _same_size(sides: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    height, width = np.min([side.shape for side in sides], axis=0)
    one, other = (side[:height, :width] for side in sides)
    return one, other


def _apart(pictures: list[Floats]) -> Iterator[tuple[Floats, Floats]]:
    """Halves and quarters that have no pixel in common."""
    for picture in pictures:
        height, width = (side // 2 for side in picture.shape)
        yield picture[:, :width], picture[:, width : 2 * width]
        yield picture[:height], picture[height : 2 * height]
        yield picture[:height, :width], picture[height : 2 * height, width : 2 * width]
        yield picture[:height, width : 2 * width], picture[height : 2 * height, :width]
