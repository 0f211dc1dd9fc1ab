"""The names and defaults of an alignment's options, without numpy, so that help texts are quick.

The registries that give the names their meaning are ``motion.MODELS``, ``robust.LOSSES``,
``kernels.KERNELS`` (with "linear", which is ``sampling.sample``) and ``canvas.CANVASES``; a test
keeps them and these names equal. What a preset means is said here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

AUTO: Final = "auto"
"""As a model, the simplest that explains the images; as a start, every one in its turn, until one
convinces."""

MODELS_IN_WORDS: Final = {
    "translation": "a translation",
    "rigid": "a rigid motion",
    "similarity": "a similarity",
    "affine": "an affine transform",
    "homography": "a homography",
}
MODEL_NAMES: Final = tuple(MODELS_IN_WORDS)
LOSS_NAMES: Final = ("l2", "huber", "tukey", "lorentzian", "geman-mcclure")
INTENSITY: Final = "intensity"
GRADIENT: Final = "gradient"
SIMILARITY_NAMES: Final = (INTENSITY, GRADIENT, AUTO)
"""What is compared: grey values, or the orientation of edges; auto: both, and that answer is
given which most tiles vote for."""

MUTUAL_INFORMATION: Final = "mutual-information"
MUTUAL_INFORMATION_HINT: Final = (
    f"similarity {MUTUAL_INFORMATION!r} is not available: edge orientations aligned more of the "
    "multimodal images that were tested (docs/method.md, 'Multimodal images'); choose "
    f"{GRADIENT!r} or {AUTO!r}"
)
"""The usual measure for unlike images, which people look for, and what is said to them."""

INTERPOLATION_NAMES: Final = ("nearest", "linear", "cubic", "lanczos")
CANVAS_NAMES: Final = ("target", "source", "union", "overlap")
POSES: Final = "poses"
"""The start that compares orientations, which grey values alone have none of."""

START_NAMES: Final = (
    "identity",
    "translation",
    "template",
    "fourier",
    "features",
    POSES,
    "tilted",
)
INIT_NAMES: Final = (AUTO, *START_NAMES)

LUMA_CHANNEL: Final = "luma"
ALL_CHANNELS: Final = "all"
CHANNEL_NAMES: Final = (LUMA_CHANNEL, ALL_CHANNELS)
"""What is looked at, where it is not one channel by its number: luma, or the mean of all."""


class Preset(NamedTuple):
    """What a preset trades time for.

    Attributes:
        summary: a few words for help texts.
        tolerance_px: convergence threshold of the last solve: displacement of a corner by the next
            step, in pixels.
        least_pixels: the descent ends on the coarsest level with at least this many pixels, at most
            ``levels_skipped`` above full size.
        levels_skipped: see ``least_pixels``.
        noise_sigma_px: of large images only as many pixels are used as reduce the error by noise to
            this standard deviation, in pixels, mean over the image.
        refine: whether full size is solved once more by ``refinement.refine``.
    """

    summary: str
    tolerance_px: float
    least_pixels: int
    levels_skipped: int
    noise_sigma_px: float
    refine: bool


PRESETS: Final = {
    "fast": Preset("half resolution", 2e-3, 1 << 15, 1, 1e-3, refine=False),
    "balanced": Preset("full resolution", 1e-3, 0, 0, 1e-3, refine=False),
    "precise": Preset("refined to the noise limit", 2e-4, 0, 0, 1e-3, refine=True),
}
"""Every preset by name, from the quickest to the most patient."""

PRESET_NAMES: Final = tuple(PRESETS)

LIMIT_RANGES: Final = {
    "max_shift": (0.0, math.inf),
    "max_rotation": (0.0, 180.0),
    "max_scale": (1.0, math.inf),
    "max_shear": (0.0, math.inf),
    "min_overlap": (0.0, 1.0),
    "min_score": (-1.0, 1.0),
}
"""The limits that a result can be held to, and between what each makes sense, ends included."""

LEAST_LAST_SIDE: Final = 64
"""No level whose shorter side is below this is the last one, whatever the preset spares: it is too
short for a homography."""

BEFORE_REFINEMENT_PX: Final = 1e-3
"""Tolerance of the descent where a refinement follows: that does better than any more steps."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to align.

    Attributes:
        model: motion model, one of ``MODEL_NAMES``; or ``AUTO``, the simplest of them that
            explains the images.
        preset: one of ``PRESET_NAMES``.
        loss: robust loss, one of ``LOSS_NAMES``. Tukey's by default: on photographs of a wall
            with things in front of it, it came nearest to the truth (docs/method.md).
        photometric: solve for gain and bias too.
        similarity: what is compared, one of ``SIMILARITY_NAMES``.
        levels: number of pyramid levels; None for as many as both images carry.
        max_iterations: limit for each level.
        tolerance: a level is converged when no further step moves a corner by more, in pixels;
            None for the preset's.
        max_shift: the centre of the source may move by so many pixels; None, here and below, for
            no limit. A result that exceeds a limit is failed.
        max_rotation: it may turn by so many degrees.
        max_scale: lengths may change by this factor, larger or smaller.
        max_shear: the largest shear.
        min_overlap: the share of the target that the source must cover.
        min_score: the ZNCC that must be reached.
        accept_residual: what is still systematically left between the images may be so many pixels
            although a richer motion model explains it; None for 1.
        keep_fixed_pattern: whether what stays with the sensor takes part all the same: hot pixels,
            edges of compressed blocks, constant areas at the same pixels of both images.
        channel: what both images are seen by, one of ``CHANNEL_NAMES`` or the number of a channel
            from 0.
        ignore_alpha: whether transparent pixels take part too.

    Raises:
        TypeError: if an option is unknown.
        ValueError: if an option has no sense; the message lists the choices.
    """

    model: str = "homography"
    preset: str = "balanced"
    loss: str = "tukey"
    photometric: bool = True
    similarity: str = INTENSITY
    levels: int | None = None
    max_iterations: int = 100
    tolerance: float | None = None
    max_shift: float | None = None
    max_rotation: float | None = None
    max_scale: float | None = None
    max_shear: float | None = None
    min_overlap: float | None = None
    min_score: float | None = None
    accept_residual: float | None = None
    keep_fixed_pattern: bool = False
    channel: str | int = LUMA_CHANNEL
    ignore_alpha: bool = False

    def __new__(cls, **options: Any) -> Options:
        """Refuse what is no option by its name: whoever called align() knows no ``Options``."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise TypeError(f"unknown option {name!r}; choose from {', '.join(known)}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        _check_choice("model", self.model, (*MODEL_NAMES, AUTO))
        _check_choice("preset", self.preset, PRESET_NAMES)
        _check_choice("loss", self.loss, LOSS_NAMES)
        if self.similarity == MUTUAL_INFORMATION:
            raise ValueError(MUTUAL_INFORMATION_HINT)
        _check_choice("similarity", self.similarity, SIMILARITY_NAMES)
        if self.model == AUTO and self.similarity == GRADIENT:
            raise ValueError(
                f"model {AUTO!r} compares models by grey-value residuals, which similarity "
                f"{GRADIENT!r} does not use; choose one of {', '.join(MODEL_NAMES)}"
            )
        if self.levels is not None:
            _check_count("levels", self.levels)
        _check_count("max_iterations", self.max_iterations)
        if self.tolerance is not None and not 0.0 < self.tolerance < math.inf:
            raise ValueError(f"tolerance must be above 0 px and finite, got {self.tolerance}")
        if self.accept_residual is not None and not 0.0 <= self.accept_residual < math.inf:
            raise ValueError(
                f"accept_residual must be at least 0 px and finite, got {self.accept_residual}"
            )
        for name, (least, most) in LIMIT_RANGES.items():
            limit = getattr(self, name)
            if limit is not None and not (least <= limit <= most and limit < math.inf):
                raise ValueError(f"{name} must be {_range(least, most)}, got {limit}")
        _check_channel(self.channel)

    @property
    def refine(self) -> bool:
        """Whether a refinement follows the descent."""
        return PRESETS[self.preset].refine

    @property
    def tolerance_px(self) -> float:
        """Tolerance of the last solve."""
        return PRESETS[self.preset].tolerance_px if self.tolerance is None else self.tolerance

    @property
    def level_tolerance_px(self) -> float:
        """Tolerance of the descent's last level."""
        return max(self.tolerance_px, BEFORE_REFINEMENT_PX) if self.refine else self.tolerance_px

    def finest_level(self, size: tuple[int, int], levels: Sequence[int]) -> int:
        """On which of the levels the descent ends.

        Args:
            size: (width, height) of the smaller image at full size.
            levels: those that can be solved, 0 = full size.
        """
        preset = PRESETS[self.preset]
        pixels = size[0] * size[1]
        spared = [
            level
            for level in levels
            if level <= preset.levels_skipped
            and pixels >> (2 * level) >= preset.least_pixels
            and min(size) >> level >= LEAST_LAST_SIDE
        ]
        return max(spared, default=levels[0])


def _check_choice(what: str, name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise ValueError(f"unknown {what} {name!r}; choose one of {', '.join(names)}")


def _check_channel(channel: str | int) -> None:
    number = isinstance(channel, int) and not isinstance(channel, bool) and channel >= 0
    if not number and channel not in CHANNEL_NAMES:
        raise ValueError(
            f"unknown channel {channel!r}; choose one of {', '.join(CHANNEL_NAMES)}, or the "
            "number of a channel, from 0"
        )


def _range(least: float, most: float) -> str:
    return f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"


def _check_count(what: str, count: int) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"{what} must be a whole number of at least 1, got {count!r}")


DEFAULTS: Final = Options()
