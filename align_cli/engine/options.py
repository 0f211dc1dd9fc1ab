"""Names and defaults of the options of an alignment, without numpy, so that help is quick.

The names are those of the registries ``models.MODELS``, ``losses.LOSSES``, ``kernels.KERNELS``
(with "linear", which is ``bilinear.sample``) and ``canvas.CANVASES``; a test keeps them equal.
Presets are defined here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

AUTO: Final = "auto"
"""As a model, the simplest that explains the images; as an initial transform, every start in turn
until the evidence is conclusive."""

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
"""Similarity measures: grey values, or edge orientations; auto: both, and the result with more
inliers."""

MUTUAL_INFORMATION: Final = "mutual-information"
MUTUAL_INFORMATION_HINT: Final = (
    f"similarity {MUTUAL_INFORMATION!r} is not available: edge orientations aligned more of the "
    "multimodal images that were tested (docs/method.md, 'Multimodal images'); choose "
    f"{GRADIENT!r} or {AUTO!r}"
)
"""The usual measure for multimodal images, and the message for users who ask for it."""

INTERPOLATION_NAMES: Final = ("nearest", "linear", "cubic", "lanczos")

CHANGED_ABOVE_LEVELS: Final = 8.0
"""Grey levels, of 255, up to which a difference between aligned images is no change."""

CANVAS_NAMES: Final = ("target", "source", "union", "overlap")
POSES: Final = "poses"
"""The start that compares edge orientations, so it is not available for grey values."""

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
"""Channels other than a single one by its number: luma, or the mean of all."""


class Preset(NamedTuple):
    """The settings of a preset, between speed and accuracy.

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


TOLERANCE_PX: Final = 1e-3
"""A solve has converged if the next step would displace no corner by more: a tenth of what anyone
can use."""

CERTAIN_PX: Final = 1e-3
"""Standard deviation that noise may leave in the result of a large image: as the tolerance."""

PRESETS: Final = {
    "fast": Preset("half resolution", 2e-3, 1 << 15, 1, CERTAIN_PX, refine=False),
    "balanced": Preset("full resolution", TOLERANCE_PX, 0, 0, CERTAIN_PX, refine=False),
    "precise": Preset("refined to the noise limit", 2e-4, 0, 0, CERTAIN_PX, refine=True),
}
"""Every preset by name, from the fastest to the most accurate."""

PRESET_NAMES: Final = tuple(PRESETS)

LIMIT_RANGES: Final = {
    "max_shift": (0.0, math.inf),
    "max_rotation": (0.0, 180.0),
    "max_scale": (1.0, math.inf),
    "max_shear": (0.0, math.inf),
    "min_overlap": (0.0, 1.0),
    "min_score": (-1.0, 1.0),
}
"""The limits of a result, and the valid range of each, ends included."""

LEAST_LAST_SIDE: Final = 64
"""Least shorter side of the finest level that is solved, if there is a finer one: below it a
homography is not determined well enough."""

MOST_ITERATIONS: Final = 100
"""Default iteration limit of a level: half and double of it change nothing."""

BEFORE_REFINEMENT_PX: Final = TOLERANCE_PX
"""Tolerance of the descent if a refinement follows, which is more accurate than further steps."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of an alignment.

    Attributes:
        model: motion model, one of ``MODEL_NAMES``; or ``AUTO``, the simplest of them that
            explains the images.
        preset: one of ``PRESET_NAMES``.
        loss: robust loss, one of ``LOSS_NAMES``. Tukey's is the default: it was the most accurate
            on photographs of a wall with occlusions (docs/method.md).
        photometric: whether to solve for gain and bias too.
        similarity: similarity measure, one of ``SIMILARITY_NAMES``.
        levels: number of pyramid levels; None for as many as both image sizes allow.
        max_iterations: iteration limit of each solve of a level.
        tolerance: convergence threshold: displacement of a corner by the next step, in pixels;
            None for the preset's.
        max_shift: largest shift of the centre of the source, in pixels; None, here and below, for
            no limit. A result that exceeds a limit is failed.
        max_rotation: largest rotation, in degrees.
        max_scale: largest change of lengths, a factor, enlarged or reduced.
        max_shear: largest shear.
        min_overlap: least share of the target that the source covers.
        min_score: least ZNCC.
        accept_residual: residual displacement, in pixels, that is accepted although a richer model
            would remove it; None for 1.
        keep_fixed_pattern: whether to use fixed patterns of the sensor too: hot pixels, edges of
            compressed blocks, constant areas at the same pixels of both images.
        channel: channel to align by, one of ``CHANNEL_NAMES`` or the number of a channel, from 0.
        ignore_alpha: whether to use transparent pixels too.

    Raises:
        TypeError: if an option is unknown.
        ValueError: if an option has an invalid value; the message lists the choices.
    """

    model: str = "homography"
    preset: str = "balanced"
    loss: str = "tukey"
    photometric: bool = True
    similarity: str = INTENSITY
    levels: int | None = None
    max_iterations: int = MOST_ITERATIONS
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
        """Name an unknown option in the exception, for callers of ``align``."""
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
        """The level on which the descent ends.

        Args:
            size: (width, height) of the smaller image at full size.
            levels: the available levels, 0 = full size.
        """
        preset = PRESETS[self.preset]
        pixels = size[0] * size[1]
        allowed = [
            level
            for level in levels
            if level <= preset.levels_skipped
            and pixels >> (2 * level) >= preset.least_pixels
            and min(size) >> level >= LEAST_LAST_SIDE
        ]
        return max(allowed, default=levels[0])


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
