"""A verdict's words: the cause, what was measured, and something to try that can be tried."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from align_cli.engine.options import MODEL_NAMES
from align_cli.engine.records import LevelRecord, Outcome, Status, Verdict
from align_cli.engine.verdict import messages
from align_cli.engine.verdict.messages import Objection

OBJECTIONS = (
    Status.NO_AGREEMENT,
    Status.SINGULAR,
    Status.AMBIGUOUS,
    Status.SECOND_MOTION,
    Status.MODEL_TOO_SIMPLE,
    Status.UNCERTAIN,
    Status.DIVERGED,
    Status.ITERATION_LIMIT,
)
UNSOLVED = (
    Status.ITERATION_LIMIT,
    Status.SINGULAR,
    Status.DIVERGED,
    Status.TOO_LITTLE_OVERLAP,
    Status.NO_AGREEMENT,
)
OPTIONS = {
    Status.NO_AGREEMENT: "--init",
    Status.AMBIGUOUS: "--init",
    Status.SECOND_MOTION: "--source-mask",
    Status.MODEL_TOO_SIMPLE: "--accept-residual",
    Status.UNCERTAIN: "-m",
    Status.ITERATION_LIMIT: "--max-iterations",
}
SIMPLEST = MODEL_NAMES[0]


def test_every_status_is_said_by_somebody() -> None:
    # Converged is no objection, and limits have words of their own.
    said = {*OBJECTIONS, *UNSOLVED, Status.CONVERGED, Status.LIMIT_EXCEEDED}
    assert said == set(Status)


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("status", OBJECTIONS)
@pytest.mark.parametrize("refutes", [True, False])
def test_every_objection_has_advice(status: Status, model: str, refutes: bool) -> None:
    found = messages.outcome([Objection(status, "this is 3 px", refutes)], model=model)
    assert found.status is status
    assert found.verdict is (Verdict.FAILED if refutes else Verdict.DOUBTFUL)
    assert found.reasons == ("this is 3 px",)
    assert "this is 3 px" in found.sentence
    advice = found.sentence.split("or " if not refutes else ": ", 1)[1]
    assert len(advice) > 20
    assert found.advice.endswith(advice)
    assert found.sentence == f"{found.sentence.removesuffix(found.advice)}{found.advice}"
    assert found.sentence.removesuffix(found.advice).endswith("this is 3 px: ")
    assert advice.split()[0] in ("give", "use", "allow", "mask", "the")
    assert "{" not in found.sentence
    if model != SIMPLEST:
        assert OPTIONS.get(status, "") in found.sentence


@pytest.mark.parametrize("status", OBJECTIONS)
@pytest.mark.parametrize("refutes", [True, False])
def test_nothing_simpler_than_a_translation_is_proposed(status: Status, refutes: bool) -> None:
    found = messages.outcome([Objection(status, "this", refutes)], model=SIMPLEST)
    assert "simpler" not in found.sentence
    richer = messages.outcome([Objection(status, "this", refutes)], model="rigid")
    simpler = (Status.SINGULAR, Status.UNCERTAIN, Status.DIVERGED, Status.ITERATION_LIMIT)
    assert ("simpler" in richer.sentence) == (status in simpler)


def ended(status: Status) -> LevelRecord:
    return LevelRecord(0, 320, 240, 100, 0.5678, math.nan, status)


@pytest.mark.parametrize("model", MODEL_NAMES)
@pytest.mark.parametrize("status", UNSOLVED)
def test_what_was_not_solved_has_failed_with_its_cause(status: Status, model: str) -> None:
    found = messages.unsolved(ended(status), model=model, overlap=0.0731)
    assert found.status is status
    assert found.verdict is Verdict.FAILED
    (reason,) = found.reasons
    assert found.sentence == f"{reason}: {found.advice}"
    assert "(--init)" not in reason
    assert "{" not in found.sentence
    assert "--init" in found.sentence or "initial transform" in found.sentence
    shows = {
        Status.ITERATION_LIMIT: "(100 iterations in all on the last level, last step 0.568 px)",
        Status.SINGULAR: f"every parameter of the {model} model",
        Status.DIVERGED: "diverged",
        Status.TOO_LITTLE_OVERLAP: "(7% of the target)",
        Status.NO_AGREEMENT: "may show different scenes",
    }
    assert shows[status] in found.sentence
    assert ("simpler" in found.sentence) == (status is Status.SINGULAR and model != SIMPLEST)


@pytest.mark.parametrize(("iterations", "words"), [(1, "(1 iteration in"), (2, "(2 iterations in")])
def test_the_iterations_of_all_solves_are_not_called_the_limit(iterations: int, words: str) -> None:
    last = replace(ended(Status.ITERATION_LIMIT), iterations=iterations)
    assert words in messages.not_converged(last)


def test_nothing_against_it_is_aligned() -> None:
    found = messages.outcome([], model="affine")
    assert found == Outcome(Status.CONVERGED, "the images are aligned")
    assert found.verdict is Verdict.ALIGNED


def test_the_gravest_comes_first_and_all_are_said() -> None:
    mild = Objection(Status.AMBIGUOUS, "it repeats itself")
    other = Objection(Status.UNCERTAIN, "it is loose")
    grave = Objection(Status.NO_AGREEMENT, "nothing agrees", refutes=True)
    found = messages.outcome([mild, grave, other], model="affine")
    assert found.status is Status.NO_AGREEMENT
    assert found.verdict is Verdict.FAILED
    assert found.reasons == ("nothing agrees", "it repeats itself", "it is loose")
    assert found.sentence.startswith("nothing agrees: ")
    doubtful = messages.outcome([mild, other], model="affine")
    assert doubtful.status is Status.AMBIGUOUS
    assert doubtful.verdict is Verdict.DOUBTFUL
    assert doubtful.sentence.startswith(
        "the images may be aligned, but it repeats itself; it is loose: inspect the result"
    )
    swapped = messages.outcome([other, mild], model="affine")
    assert swapped.status is Status.UNCERTAIN


def test_where_a_search_looked_is_told_in_the_form_that_init_takes() -> None:
    failed = messages.outcome(
        [Objection(Status.NO_AGREEMENT, "nothing agrees", refutes=True)], model="rigid"
    )
    terms = {"shift_px": (160.4, -38.0), "angle_deg": 12.34, "scale": 0.87}
    told = messages.with_best_candidate(failed, 17, terms, 0.123)
    assert told.sentence.startswith(failed.sentence)
    assert "17 candidate transforms were evaluated" in told.sentence
    assert "--init=160,-38,12.3,0.87, at which 12% of the tiles correlate" in told.sentence
    assert told.sentence.endswith(told.advice)
    assert told.advice.startswith(failed.advice)
    assert (told.status, told.reasons) == (failed.status, failed.reasons)
    alone = messages.with_best_candidate(failed, 1, terms, 0.9)
    assert "; 1 candidate transform was evaluated" in alone.sentence


@pytest.mark.parametrize("refutes", [False, True])
def test_what_may_be_right_is_not_told_to_show_different_scenes(refutes: bool) -> None:
    found = messages.outcome(
        [Objection(Status.NO_AGREEMENT, "few tiles fit", refutes)], model="rigid"
    )
    assert ("show different scenes" in found.sentence) is refutes
    assert "(--init)" in found.sentence


@pytest.mark.parametrize(
    ("richer", "refuted", "solved", "said"),
    [
        ("homography", False, True, "or use -m homography"),
        ("rigid", False, True, messages.ADVICE),
        (None, False, True, messages.ADVICE),
        ("homography", True, True, messages.ADVICE),
        ("homography", False, False, messages.SOLVE),
    ],
)
def test_of_several_objections_a_model_that_is_too_simple_is_mended_first(
    richer: str | None, refuted: bool, solved: bool, said: str
) -> None:
    weak = Objection(Status.NO_AGREEMENT, "few tiles match", refuted)
    simple = Objection(Status.MODEL_TOO_SIMPLE, "a homography explains it")
    found = messages.outcome([weak, simple], model="rigid", richer=richer, solved=solved)
    assert found.sentence.endswith(said)
    without = messages.outcome([weak, weak], model="rigid", richer=richer, solved=solved)
    assert "-m homography" not in without.sentence
