from __future__ import annotations

import pytest

from align_cli.engine.records import Outcome, Status
from align_cli.report.page import sentences

DOUBTFUL = Outcome(
    Status.UNCERTAIN,
    "the images may be aligned, but one is dark; the other is small: inspect the result before "
    "using it, or use a simpler motion model (-m)",
    ("one is dark", "the other is small"),
    doubtful=True,
)
UNSOLVED = Outcome(
    Status.NO_AGREEMENT,
    "the images match no better than unrelated ones: give a better initial transform (--init)",
    ("the images match no better than unrelated ones: give a better initial transform (--init)",),
)
REFUTED = Outcome(
    Status.AMBIGUOUS,
    "the target is periodic: give an initial transform (--init); 3 candidates were evaluated",
    ("the target is periodic", "few tiles match"),
)


@pytest.mark.parametrize(
    ("outcome", "reasons", "advice"),
    [
        (Outcome(Status.CONVERGED, "the images are aligned"), (), ()),
        (
            DOUBTFUL,
            ("One is dark.", "The other is small."),
            ("Inspect the result before using it, or use a simpler motion model (-m).",),
        ),
        (
            UNSOLVED,
            ("The images match no better than unrelated ones.",),
            ("Give a better initial transform (--init).",),
        ),
        (
            REFUTED,
            ("The target is periodic.", "Few tiles match."),
            ("Give an initial transform (--init); 3 candidates were evaluated.",),
        ),
    ],
)
def test_causes_and_advice_stand_apart(
    outcome: Outcome, reasons: tuple[str, ...], advice: tuple[str, ...]
) -> None:
    assert sentences.reasons(outcome) == reasons
    assert sentences.advice(outcome, "") == advice


def test_options_that_were_not_tried_are_advice_too() -> None:
    told = sentences.advice(UNSOLVED, "or try --allow-flip, if one image may be mirrored")
    assert told[1] == "--allow-flip, if one image may be mirrored."
