"""The messages of a verdict: the cause, the measured value, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from align_cli.engine.options import MODEL_NAMES
from align_cli.engine.records import LevelRecord, Outcome, Status

ADVICE: Final = "give a better initial transform (--init), or another motion model (-m)"

MASKS: Final = "mask what does not move with the scene (--roi, --source-mask, --target-mask)"

SOLVE: Final = "run imalign SRC DST to estimate a transform, or to refine this one (--init)"
"""For a given transform, where nothing was solved."""

INDEPENDENTLY: Final = "moves independently"
"""In the objection that a part of the texture has a motion of its own."""

MORE_TEXTURE: Final = "use larger images, or images with more texture"

_TOO_FAR: Final = (
    "the images may show different scenes, or the initial transform may be too far off"
)

_ADVICE: Final = {
    Status.NO_AGREEMENT: f"{_TOO_FAR}: {ADVICE}",
    Status.SINGULAR: "use a simpler motion model (-m), or images with more texture",
    Status.AMBIGUOUS: "give an initial transform close to the intended one (--init)",
    Status.SECOND_MOTION: MASKS,
    Status.MODEL_TOO_SIMPLE: MASKS
    + ", or accept this residual displacement (--accept-residual PX)",
    Status.TOO_LITTLE_OVERLAP: ADVICE,
    Status.UNCERTAIN: "use a simpler motion model (-m)",
    Status.DIVERGED: "use a simpler motion model (-m), or a better initial transform (--init)",
    Status.ITERATION_LIMIT: (
        "use a simpler motion model (-m), or allow more iterations (--max-iterations)"
    ),
}
"""What to try, by the first objection."""

_WITHOUT_SIMPLER: Final = {
    Status.SINGULAR: "use images with more texture",
    Status.UNCERTAIN: ADVICE,
    Status.DIVERGED: "give a better initial transform (--init)",
    Status.ITERATION_LIMIT: "allow more iterations (--max-iterations)",
}
"""The same for the simplest motion model, where ``_ADVICE`` names a simpler one."""

_SENTENCES: Final = {
    Status.ITERATION_LIMIT: (
        "{not_converged}; " + _TOO_FAR,
        ADVICE + ", or allow more iterations (--max-iterations)",
    ),
    Status.SINGULAR: (
        "the overlap ({overlap:.0%} of the target) has too little texture to determine every "
        "parameter of the {model} model",
        "{simpler}give a better initial transform (--init), or use images with more texture",
    ),
    Status.DIVERGED: ("the solver diverged; " + _TOO_FAR, ADVICE),
    Status.TOO_LITTLE_OVERLAP: (
        "the overlap is too small ({overlap:.0%} of the target)",
        ADVICE,
    ),
    Status.NO_AGREEMENT: (
        "the images match no better than unrelated images would; "
        "they may show different scenes, or the initial transform may be too far off",
        ADVICE,
    ),
}
"""Reason and advice if the solver itself found no transform."""


@dataclass(frozen=True)
class Objection:
    """An objection to an estimate.

    Attributes:
        status: its kind.
        words: with the measured and the required value.
        refutes: whether the estimate is failed by it, and not only doubtful.
        advice: what to try; None for the advice of its status.
    """

    status: Status
    words: str
    refutes: bool = False
    advice: str | None = None


def unsolved(last: LevelRecord, *, model: str, overlap: float) -> Outcome:
    """The outcome if the solver found no estimate; ``last`` is the record of its last level."""
    simpler = "" if model == MODEL_NAMES[0] else "use a simpler one (-m), "
    reason, advice = (
        text.format(
            not_converged=not_converged(last), model=model, simpler=simpler, overlap=overlap
        )
        for text in _SENTENCES[last.status]
    )
    return Outcome(last.status, f"{reason}: {advice}", (reason,), advice=advice)


def not_converged(last: LevelRecord) -> str:
    """That a solve ended at its limit; a level may have had several solves."""
    count = "1 iteration" if last.iterations == 1 else f"{last.iterations} iterations"
    return (
        "the solver did not converge within the iteration limit of a solve "
        f"({count} in all on the last level, last step {last.last_step_px:.3g} px)"
    )


def outcome(
    objections: list[Objection], *, model: str, richer: str | None = None, solved: bool = True
) -> Outcome:
    """Aligned, doubtful or failed, with the objections in order of gravity.

    Args:
        objections: to the estimate.
        model: its motion model.
        richer: the model that explains the residual displacement; None for none.
        solved: whether the estimate was solved for, and not given.
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
        return Outcome(first.status, f"{reasons[0]}: {advice}", reasons, advice=advice)
    if solved and first.advice is None and first.status is Status.NO_AGREEMENT:
        advice = ADVICE  # the sentence already mentions different scenes
    if solved and len(objections) > 1 and _names_richer(objections, model, richer):
        advice = f"use -m {richer}"  # which may remove the others, too
    advice = f"inspect the result before using it, or {advice}"
    sentence = f"the images may be aligned, but {'; '.join(reasons)}: {advice}"
    return Outcome(first.status, sentence, reasons, doubtful=True, advice=advice)


def with_best_candidate(
    outcome: Outcome, count: int, terms: Mapping[str, float | tuple[float, float]], share: float
) -> Outcome:
    """The same outcome with the number of candidates that a search evaluated, and the best of them.

    Args:
        outcome: of the search, failed.
        count: how many candidates it evaluated.
        terms: parameters of the best of them, as ``describe`` has a similarity's.
        share: of the tiles of the overlap that correlate.
    """
    x, y = np.round(np.asarray(terms["shift_px"])).tolist()
    init = f"{x + 0.0:.0f},{y + 0.0:.0f},{terms['angle_deg']:.1f},{terms['scale']:.3g}"
    many = "1 candidate transform was" if count == 1 else f"{count} candidate transforms were"
    best = (
        f"; {many} evaluated, the best is --init={init}, at which {share:.0%} of the tiles "
        "correlate"
    )
    return replace(outcome, sentence=outcome.sentence + best, advice=outcome.advice + best)


def _names_richer(objections: list[Objection], model: str, richer: str | None) -> bool:
    """Whether one of the objections is that another model explains what is left."""
    too_simple = any(each.status is Status.MODEL_TOO_SIMPLE for each in objections)
    return too_simple and richer not in (None, model)


def _advice(status: Status, model: str, richer: str | None) -> str:
    advice = _ADVICE[status]
    if status is Status.MODEL_TOO_SIMPLE and richer not in (None, model):
        return f"use -m {richer}, or accept this residual displacement (--accept-residual PX)"
    if model == MODEL_NAMES[0]:  # there is no simpler model
        advice = _WITHOUT_SIMPLER.get(status, advice)
    return advice
