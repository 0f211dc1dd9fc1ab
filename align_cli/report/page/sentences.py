"""What the numbers of an alignment mean, in words that need no glossary."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from align_cli.engine.options import MODELS_IN_WORDS
from align_cli.engine.result.words import plus_minus
from align_cli.engine.verdict.messages import INDEPENDENTLY
from align_cli.report.page.view import Row
from align_cli.report.summary import (
    NO_MOTION,
    NOT_MEASURABLE,
    any_measure,
    changes_in_words,
    motion_in_words,
    number,
    percent,
    simpler_model,
    unexplained_in_words,
)

if TYPE_CHECKING:
    from align_cli.engine.records import Outcome, Uncertainty
    from align_cli.engine.result.alignment import Alignment

HEADINGS: Final = {
    "aligned": "The images are aligned",
    "doubtful": "The images may be aligned: look before you use the result",
    "failed": "The images could not be aligned",
}
"""By verdict."""

CHECKED: Final = {
    "aligned": "The transform aligns the images",
    "doubtful": "The transform may align the images: look before you use it",
    "failed": "The transform does not align the images",
}
"""The same where a transform was given."""


def motion(found: Alignment) -> str:
    """What becomes of the source, as a sentence."""
    name = MODELS_IN_WORDS.get(found.model, found.model)
    words = motion_in_words(found.parameters)
    if words != NO_MOTION:
        done = f"mirrored, {words}" if found.mirrored else words
    elif found.mirrored:
        done = "mirrored and not moved"
    else:
        return f"The source already lies on the target (motion model: {name})."
    return f"To lie on the target, the source is {done} ({name})."


def certainty(sure: Uncertainty | None) -> str:
    """What "+-" means, as a sentence."""
    if sure is None:
        return "How accurate this is could not be estimated."
    mean, worst = (plus_minus(px).removeprefix("+-") for px in (sure.mean_px, sure.max_px))
    return (
        f"A point is expected to lie within {mean} of its true place in two of three cases "
        f"(one standard deviation; {worst} where it is least certain)."
    )


def limits(found: Alignment) -> tuple[str, ...]:
    """What the transform does not explain, and why its model is simpler than was asked for.

    Without the second motion where it speaks against the result, among the reasons.
    """
    if found.displacements is None:
        return ()
    objected = any(INDEPENDENTLY in reason for reason in found.outcome.reasons)
    lines = [
        simpler_model(found),
        *unexplained_in_words(found.displacements, found, second_motion=not objected),
    ]
    return tuple(map(_sentence, filter(None, lines)))


def advice(outcome: Outcome, hint: str) -> tuple[str, ...]:
    """What to try: an outcome's advice, and the options that were not used."""
    if outcome.aligned:
        return ()
    return tuple(map(_sentence, filter(None, (outcome.advice, hint.removeprefix("or try ")))))


def reasons(outcome: Outcome) -> tuple[str, ...]:
    """What speaks against it."""
    return tuple(map(_sentence, outcome.reasons))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def rows(found: Alignment, *, of_full_scale: bool, used: bool) -> tuple[Row, ...]:
    """The numbers that tell how well the images agree.

    Args:
        found: the alignment.
        of_full_scale: whether both images have a white of their own.
        used: whether there is a transform to be described.
    """
    before, after = found.quality.before, found.quality.after
    of = " of full scale" if of_full_scale else ""
    measure = number if of_full_scale else any_measure
    listed = [
        Row(
            "ZNCC",
            f"{number(before.zncc)} -> {number(after.zncc)}",
            "Similarity before and after, whatever the exposure: 1 is the same, 0 is "
            "unrelated, below 0 is a negative.",
        ),
        Row(
            "RMSE",
            f"{measure(before.rmse)} -> {measure(after.rmse)}{of}",
            "Typical difference of a pixel before and after alignment; large ones count most."
            + _raw(after.rmse, after.rmse_raw, measure, of),
        ),
        Row(
            "MAE",
            f"{measure(before.mae)} -> {measure(after.mae)}{of}",
            "Mean difference of a pixel before and after alignment."
            + _raw(after.mae, after.mae_raw, measure, of),
        ),
    ]
    if not used:
        return tuple(listed)
    return (
        Row("uncertainty", _sigma(found.uncertainty), certainty(found.uncertainty)),
        *listed,
        Row(
            "overlap", percent(found.quality.overlap), "Share of the target that the source covers."
        ),
        *_changes(found),
        *_tiles(found),
        *_illumination(found, measure, of),
        *_start(found),
    )


def _start(found: Alignment) -> list[Row]:
    """Where the solver started; a transform that was only checked has no start."""
    if not found.levels:
        return []
    return [Row("start", found.start, "The initial transform from which the result was found.")]


def _raw(after: float, raw: float, measure: Callable[[float], str], of: str) -> str:
    """A sentence on what a difference is before the illumination; empty where it reads the same."""
    if measure(raw) == measure(after) or not math.isfinite(raw):
        return ""
    return f" Without the correction of the illumination it is {measure(raw)}{of}."


def _sigma(sure: Uncertainty | None) -> str:
    return NOT_MEASURABLE if sure is None else plus_minus(sure.mean_px)


def _changes(found: Alignment) -> list[Row]:
    if found.changes is None:
        return []
    above = found.changes.above_levels
    meaning = (
        f"What differs by more than {above:g} of 255 grey levels, beyond noise and what an "
        "edge that is up to a pixel off leaves."
    )
    return [Row("changed", changes_in_words(found.changes), meaning)]


def _tiles(found: Alignment) -> list[Row]:
    told = found.displacements
    if told is None:
        return []
    matched, searched = told.matched, told.searched
    if not matched or not math.isfinite(told.within_1_px):
        return [
            Row("tiles", f"none of {searched}", "No part of the target was found in the source.")
        ]
    near = round(told.within_1_px * matched)
    return [
        Row(
            "tiles",
            f"{near} of {matched} within 1 px, median {told.median_px:.2f} px",
            f"{searched} small squares of the target were looked for in the source, each by "
            f"itself; {matched} were found, at these distances from where they should be.",
        )
    ]


def _illumination(found: Alignment, measure: Callable[[float], str], of: str) -> list[Row]:
    if not found.corrects_illumination:
        return []
    bias = f"{'-' if found.bias < 0.0 else '+'}{measure(abs(found.bias))}"
    return [
        Row(
            "illumination",
            f"gain {found.gain:.3f}, bias {bias}{of}",
            "At the centre of the target the source has gain times its grey value, plus bias.",
        )
    ]
