"""What people are told of an answer: the cause, what was measured, and what to try."""

from __future__ import annotations

import pytest

from align_cli.engine.alignment import LevelRecord, Outcome, Status, Verdict
from align_cli.engine.options import MODEL_NAMES
from align_cli.engine.verdict.messages import Objection, outcome, unsolved

OBJECTIONS = [
    status
    for status in Status
    if status not in (Status.CONVERGED, Status.TOO_LITTLE_OVERLAP, Status.LIMIT_EXCEEDED)
]


def end_of(status: Status, *, model: str = "affine") -> Outcome:
    last = LevelRecord(0, 100, 80, 7, 0.123, 0.01, status)
    return unsolved(last, model=model, overlap=0.06)


def test_where_nothing_speaks_against_it_it_is_aligned() -> None:
    end = outcome([], model="affine")
    assert end == Outcome(Status.CONVERGED, "the images are aligned")
    assert end.verdict is Verdict.ALIGNED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.ITERATION_LIMIT, "last step 0.123 px"),
        (Status.SINGULAR, "what the source covers of the target (6%) has too little texture"),
        (Status.DIVERGED, "the solver diverged"),
        (Status.TOO_LITTLE_OVERLAP, "covers too little of the target (6%)"),
    ],
)
def test_what_the_solver_did_not_solve_has_failed_with_its_cause_and_a_way_out(
    status: Status, words: str
) -> None:
    end = end_of(status)
    assert (end.status, end.verdict) == (status, Verdict.FAILED)
    assert words in end.sentence
    assert "motion model" in end.sentence or "a simpler one" in end.sentence
    assert end.reasons == (end.sentence,)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_nothing_is_simpler_than_a_translation(model: str) -> None:
    simpler = model != "translation"
    assert ("a simpler one" in end_of(Status.SINGULAR, model=model).sentence) is simpler
    for status in OBJECTIONS:
        for refutes in (False, True):
            said = outcome([Objection(status, "words", refutes)], model=model).sentence
            assert simpler or "simpler" not in said


@pytest.mark.parametrize("status", OBJECTIONS)
def test_what_speaks_against_an_answer_leaves_it_open_or_refutes_it(status: Status) -> None:
    doubtful = outcome([Objection(status, "it is 3 px off")], model="affine")
    assert (doubtful.status, doubtful.verdict) == (status, Verdict.DOUBTFUL)
    assert doubtful.sentence.startswith("the images may be aligned, but it is 3 px off: look at")
    failed = outcome([Objection(status, "it is 3 px off", refutes=True)], model="affine")
    assert (failed.status, failed.verdict) == (status, Verdict.FAILED)
    assert failed.sentence.startswith("it is 3 px off: ")
    assert "aligned" not in failed.sentence
    # Both name something to try.
    for end in (doubtful, failed):
        assert end.reasons == ("it is 3 px off",)
        assert any(word in end.sentence for word in ("--", "pictures with more texture", "model"))


def test_all_that_is_doubtful_is_said() -> None:
    three = [
        Objection(Status.SECOND_MOTION, "one"),
        Objection(Status.UNCERTAIN, "two"),
        Objection(Status.AMBIGUOUS, "three"),
    ]
    end = outcome(three, model="affine")
    assert end.status is Status.SECOND_MOTION
    assert end.reasons == ("one", "two", "three")
    assert "one; two; three" in end.sentence


def test_what_refutes_goes_before_what_is_doubtful() -> None:
    end = outcome(
        [Objection(Status.UNCERTAIN, "doubt"), Objection(Status.NO_AGREEMENT, "proof", True)],
        model="affine",
    )
    assert (end.status, end.verdict) == (Status.NO_AGREEMENT, Verdict.FAILED)
    assert end.reasons == ("proof", "doubt")
    assert end.sentence.startswith("proof: ")
