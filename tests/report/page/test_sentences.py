from __future__ import annotations

import pytest

from align_cli.engine.records import Outcome, Status
from align_cli.report.page import sentences

ADVICE = "use a simpler motion model (-m): it needs less texture"
DOUBTFUL = Outcome(
    Status.UNCERTAIN,
    "the images may be aligned, but one is dark: the other small; it repeats itself: " + ADVICE,
    ("one is dark: the other small", "it repeats itself"),
    doubtful=True,
    advice=ADVICE,
)


@pytest.mark.parametrize(
    ("outcome", "reasons", "advice"),
    [
        (Outcome(Status.CONVERGED, "the images are aligned"), (), ()),
        (
            DOUBTFUL,
            ("One is dark: the other small.", "It repeats itself."),
            ("Use a simpler motion model (-m): it needs less texture.",),
        ),
    ],
)
def test_causes_and_advice_stand_apart(
    outcome: Outcome, reasons: tuple[str, ...], advice: tuple[str, ...]
) -> None:
    assert sentences.reasons(outcome) == reasons
    assert sentences.advice(outcome, "") == advice


def test_options_that_were_not_tried_are_advice_too() -> None:
    told = sentences.advice(DOUBTFUL, "or try --allow-flip, if one image may be mirrored")
    assert told[1] == "--allow-flip, if one image may be mirrored."
