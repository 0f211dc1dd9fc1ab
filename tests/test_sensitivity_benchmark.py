"""``benchmarks.sensitivity`` changes one constant, and nothing else, by as much as it bears."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.constants import Constant, constants
from benchmarks.sensitivity import Noticed, changed, compared, recorded, rewritten

MODULE = '''"""Of 3 things: "größer"."""

SIDES = (3, 12)
PIXELS = 1 << 16
LEAST = 10.0**-6
SHARE, AWAY = 0.8, 3.0  # 0.8 of them
'''


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Constant]:
    path = tmp_path / "module.py"
    path.write_text(MODULE, "utf-8")
    return {constant.where: constant for constant in constants(path)}


@pytest.mark.parametrize(
    ("number", "half", "double"),
    [(8, 4, 16), (5, 3, 11), (3, 1, 7), (3.0, 1.5, 6.0), (0.3, 0.15, 0.6), (0.8, 0.4, 0.9)],
)
def test_half_and_double_as_far_as_a_number_bears_it(
    number: float, half: float, double: float
) -> None:
    for factor, expected in ((0.5, half), (2.0, double)):
        new = changed(number, exponent=False, factor=factor)
        assert new == pytest.approx(expected)
        assert type(new) is type(number)


def test_an_exponent_has_one_less_or_one_more() -> None:
    assert [changed(16, exponent=True, factor=factor) for factor in (0.5, 2.0)] == [15, 17]


@pytest.mark.parametrize(
    ("where", "line", "became"),
    [
        ("SIDES", "SIDES = (1, 6)", (1, 6)),
        ("PIXELS", "PIXELS = 1 << 15", (15,)),
        ("LEAST", "LEAST = 5.0**-5", (5.0, 5)),
        ("SHARE, AWAY", "SHARE, AWAY = 0.4, 1.5  # 0.8 of them", (0.4, 1.5)),
    ],
)
def test_one_line_is_rewritten(
    found: dict[str, Constant], where: str, line: str, became: tuple[float, ...]
) -> None:
    text, values = rewritten(found[where], 0.5)
    assert set(text.splitlines()) - set(MODULE.splitlines()) == {line}
    assert values == became


def answer(**changes: Any) -> dict[str, Any]:
    square = [[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 9.0]]
    same = {"verdict": "aligned", "corners": square, "iterations": 8, "bits": "a", "seconds": 1.0}
    return same | changes


def test_what_is_compared() -> None:
    moved = [[0.0, 0.0], [9.0, 0.0], [12.0, 13.0], [0.0, 9.0]]
    before = [answer(), answer(), answer(verdict="failed")]
    now = [
        answer(bits="b", corners=moved, iterations=16),
        answer(verdict="doubtful", seconds=4.0),
        answer(verdict="failed", corners=[[99.0, 0.0]] * 4),
    ]
    noticed = compared("a.B", (2.0,), now, before)
    assert noticed == Noticed("a.B", (2.0,), "", 1, 1, 5.0, 32 / 24, 6 / 3)
    assert noticed.visible
    assert not compared("a.B", (2.0,), before, before).visible
    assert compared("a.B", (2.0,), "ValueError", before).visible


def test_nothing_is_recorded_in_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert recorded(tmp_path / "none") == []
