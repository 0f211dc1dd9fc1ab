"""The names and defaults of an alignment's options, without numpy, so that help texts are quick.

The registries that give the names their meaning are ``motion.MODELS`` and ``robust.LOSSES``; a
test keeps them and these names equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MODEL_NAMES: Final = ("translation", "rigid", "similarity", "affine", "homography")
LOSS_NAMES: Final = ("l2", "huber", "tukey", "lorentzian", "geman-mcclure")


@dataclass(frozen=True)
class Options:
    """How to align.

    Attributes:
        model: motion model, one of ``MODEL_NAMES``.
        loss: robust loss, one of ``LOSS_NAMES``. Tukey's by default: on photographs of a wall
            with things in front of it, it came nearest to the truth (docs/method.md).
        photometric: solve for gain and bias too.
        levels: number of pyramid levels; None for as many as both images carry.
        max_iterations: limit for each level.
        tolerance: a level is converged when a step moves no corner by more, in pixels.

    Raises:
        ValueError: if an option has no sense; the message lists the choices.
    """

    model: str = "homography"
    loss: str = "tukey"
    photometric: bool = True
    levels: int | None = None
    max_iterations: int = 100
    tolerance: float = 3e-3

    def __post_init__(self) -> None:
        _check_choice("model", self.model, MODEL_NAMES)
        _check_choice("loss", self.loss, LOSS_NAMES)
        if self.levels is not None:
            _check_count("levels", self.levels)
        _check_count("max_iterations", self.max_iterations)
        if not 0.0 < self.tolerance < math.inf:
            raise ValueError(f"tolerance must be above 0 px and finite, got {self.tolerance}")


def _check_choice(what: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; choose one of {', '.join(names)}")


def _check_count(what: str, count: int) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {count!r}")


DEFAULTS: Final = Options()
