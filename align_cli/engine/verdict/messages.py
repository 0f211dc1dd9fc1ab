"""The words of a verdict: the cause, what was measured, and what to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from align_cli.engine.options import MODEL_NAMES
from align_cli.engine.records import LevelRecord, Outcome, Status

ADVICE: Final = "give an initial transform nearer to the answer (--init), or another motion model"

MASKS: Final = "leave out what does not move with the scene (--roi, --source-mask, --target-mask)"

SOLVE: Final = "let imalign SRC DST find one, or start it from this one (--init)"
"""Where a transform was given, and nothing was solved for."""

MORE_TEXTURE: Final = "give larger pictures, or pictures with more texture"

_ADVICE: Final = {
    Status.NO_AGREEMENT: (
        "they may show different things, or start too far apart for this solver: " + ADVICE
    ),
    Status.SINGULAR: "give a simpler motion model, or pictures with more texture",
    Status.AMBIGUOUS: "give an initial transform near to the answer that is meant (--init)",
    Status.SECOND_MOTION: MASKS,
    Status.MODEL_TOO_SIMPLE: MASKS + ", or allow what is left (--accept-residual PX)",
    Status.TOO_LITTLE_OVERLAP: ADVICE,
    Status.UNCERTAIN: "give a simpler motion model (-m)",
    Status.DIVERGED: "give a simpler motion model, or an initial transform nearer to the answer",
    Status.ITERATION_LIMIT: "give a simpler motion model, or more iterations (--max-iterations)",
}
"""What to try, by the first of the objections."""

_SENTENCES: Final = {
    Status.ITERATION_LIMIT: (
        "the solver did not converge within its iterations (last step {step:.3g} px); the images "
        "may show different things, or start too far apart: " + ADVICE + ", or more iterations "
        "(--max-iterations)"
    ),
    Status.SINGULAR: (
        "what the source covers of the target ({overlap:.0%}) has too little texture to fix every "
        "parameter of the {model} model: {simpler}give an initial transform nearer to the answer, "
        "or pictures with more texture"
    ),
    Status.DIVERGED: (
        "the solver diverged; the images may show different things, or start too far apart: "
        + ADVICE
    ),
    Status.TOO_LITTLE_OVERLAP: (
        "the source covers too little of the target ({overlap:.0%}): " + ADVICE
    ),
    Status.NO_AGREEMENT: (
        "the details of the images agree nowhere more than by accident; "
        + _ADVICE[Status.NO_AGREEMENT]
    ),
}
"""Where the solver itself found no answer."""


@dataclass(frozen=True)
class Objection:
    """What speaks against an answer.

    Attributes:
        status: its kind.
        words: with what was measured and what is needed.
        refutes: whether the answer is failed by it, and not only doubtful.
        advice: what to try; None for what its status advises.
    """

    status: Status
    words: str
    refutes: bool = False
    advice: str | None = None


def unsolved(last: LevelRecord, *, model: str, overlap: float) -> Outcome:
    """The outcome where the solver found no answer; ``last`` is how its last level ended."""
    simpler = "" if model == MODEL_NAMES[0] else "give a simpler one, "
    sentence = _SENTENCES[last.status].format(
        step=last.last_step_px, model=model, simpler=simpler, overlap=overlap
    )
    return Outcome(last.status, sentence, (sentence,))


def outcome(
    objections: list[Objection], *, model: str, richer: str | None = None, solved: bool = True
) -> Outcome:
    """Aligned, doubtful or failed: what speaks against an answer, the gravest first, in words.

    Args:
        objections: what speaks against it.
        model: its motion model.
        richer: the model that explains what is left; None for none.
        solved: whether the answer was solved for, and not given.
    """
    if not objections:
        return Outcome(Status.CONVERGED, "the images are aligned")
    gravest = sorted(objections, key=lambda each: not each.refutes)
    reasons = tuple(each.words for each in gravest)
    first = gravest[0]
    advice = first.advice
    if advice is None:
        advice = _advice(first.status, model, richer) if solved else SOLVE
    if first.refutes:
        return Outcome(first.status, f"{reasons[0]}: {advice}", reasons)
    if solved and first.advice is None and first.status is Status.NO_AGREEMENT:
        advice = ADVICE  # that they may show different things is said already
    sentence = (
        f"the images may be aligned, but {'; '.join(reasons)}: look at the result before you use "
        f"it, or {advice}"
    )
    return Outcome(first.status, sentence, reasons, doubtful=True)


def with_nearest(
    outcome: Outcome, places: int, terms: Mapping[str, float | tuple[float, float]], share: float
) -> Outcome:
    """The same outcome, with the word of where a search looked, and what came nearest.

    Args:
        outcome: of the search, failed.
        places: how many it looked at.
        terms: of the nearest of them, as ``motion.describe`` has a similarity's.
        share: of the tiles that overlap there, how many agree.
    """
    x, y = np.round(np.asarray(terms["shift_px"])).tolist()
    init = f"{x + 0.0:.0f},{y + 0.0:.0f},{terms['angle_deg']:.1f},{terms['scale']:.3g}"
    many = "1 place was" if places == 1 else f"{places} places were"
    sentence = (
        f"{outcome.sentence}; {many} looked at, the best of which is --init={init}, where the "
        f"images correlate in {share:.0%} of the tiles"
    )
    return replace(outcome, sentence=sentence)


def _advice(status: Status, model: str, richer: str | None) -> str:
    advice = _ADVICE[status]
    if status is Status.MODEL_TOO_SIMPLE and richer not in (None, model):
        return f"give -m {richer}, or allow what is left (--accept-residual PX)"
    if model == MODEL_NAMES[0]:  # there is none simpler than a translation
        advice = advice.replace("give a simpler motion model, or ", "give ").replace(
            "give a simpler motion model (-m)", ADVICE
        )
    return advice
