"""The user's limits: how large a transform may be, and how well the images must match.

A scanner does not rotate a page by 40 degrees, and a monitoring job would rather have no result
than an unlikely one. An estimate that exceeds a limit is failed, however strong its evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from align_cli.engine.options import Options
from align_cli.engine.records import Outcome, Quality, Status

Parameters = Mapping[str, "float | tuple[float, float]"]


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes:
        option: the field of ``Options`` that holds it, None there for no limit.
        message: format string for the measured value and the limit.
        measured: returns the value, from the transform's parameters and the quality; NaN if it
            cannot be measured, which exceeds every limit.
        most: True if the value may be at most the limit, False if at least.
    """

    option: str
    message: str
    measured: Callable[[Parameters, Quality], float]
    most: bool = True

    def within(self, value: float, limit: float) -> bool:
        """Whether a measured value respects the limit; never where it is NaN."""
        return value <= limit if self.most else value >= limit


def _shift(parameters: Parameters, _: Quality) -> float:
    x, y = _pair(parameters["shift_px"])
    return math.hypot(x, y)


def _rotation(parameters: Parameters, _: Quality) -> float:
    return abs(_number(parameters.get("angle_deg", 0.0)))


def _scale(parameters: Parameters, _: Quality) -> float:
    """The factor by which lengths change most, along either axis, larger or smaller alike."""
    names = ("scale_x", "scale_y") if "scale_x" in parameters else ("scale",)
    factors = [abs(_number(parameters.get(name, 1.0))) for name in names]
    return max(max(factor, 1.0 / factor) if factor > 0.0 else math.inf for factor in factors)


def _shear(parameters: Parameters, _: Quality) -> float:
    return abs(_number(parameters.get("shear", 0.0)))


LIMITS: Final = (
    Limit("max_shift", "shifted by {0} px, at most {1:g} px allowed", _shift),
    Limit("max_rotation", "rotated by {0} degrees, at most {1:g} allowed", _rotation),
    Limit("max_scale", "scaled by a factor of {0}, at most {1:g} allowed", _scale),
    Limit("max_shear", "sheared by {0}, at most {1:g} allowed", _shear),
    Limit(
        "min_overlap",
        "overlap {0}, at least {1:g} required",
        lambda _, quality: quality.overlap,
        most=False,
    ),
    Limit(
        "min_score",
        "ZNCC {0}, at least {1:g} required",
        lambda _, quality: quality.after.zncc,
        most=False,
    ),
)
"""All limits."""


def exceeded(options: Options, parameters: Parameters, quality: Quality) -> tuple[str, ...]:
    """The limits that a transform exceeds, in words.

    Args:
        options: with the limits.
        parameters: of the transform, see ``geometry.models.describe``.
        quality: its quality.

    Returns:
        One phrase each, with the measured value and the limit.
    """
    exceeded_limits = []
    for limit in LIMITS:
        most = getattr(options, limit.option)
        if most is not None:
            value = limit.measured(parameters, quality)
            if not limit.within(value, most):
                exceeded_limits.append(limit.message.format(_distinguishable(value, most), most))
    return tuple(exceeded_limits)


def _distinguishable(value: float, limit: float) -> str:
    """A value in four digits, or as many as distinguish it from the limit that it exceeds."""
    texts = (f"{value:.{digits}g}" for digits in range(4, 18))
    return next((text for text in texts if float(text) != limit), str(value))


def within_limits(
    outcome: Outcome, options: Options, parameters: Parameters, quality: Quality
) -> Outcome:
    """The outcome itself; failed if the estimate exceeds a limit."""
    if not outcome.vouched:
        return outcome
    reasons = exceeded(options, parameters, quality)
    if not reasons:
        return outcome
    advice = (
        "relax the limit if this result is expected, or give a better initial transform (--init)"
    )
    sentence = f"the transform is outside the limits: {'; '.join(reasons)}: {advice}"
    return Outcome(Status.LIMIT_EXCEEDED, sentence, reasons, advice=advice)


def _number(value: float | tuple[float, float]) -> float:
    assert not isinstance(value, tuple)
    return value


def _pair(value: float | tuple[float, float]) -> tuple[float, float]:
    assert isinstance(value, tuple)
    return value
