"""``benchmarks.constants`` finds each chosen number once, with its measurement."""

from pathlib import Path

import pytest

from benchmarks.constants import EXCEPTED, FIXED, PACKAGE, Constant, constants

MODULE = '''
FREE = (0, 1, -1, 2, 0.5, True)
ALONE = 0.3
"""Measured: 0.28 fails. More of it."""

FIRST = 7
SECOND: float = -2.5
"""Of both."""

APART = 11

"""Not of it."""
PLACE = table[5]


class Settings:
    """Of a class."""

    rounds: int = 30


def chosen(image, limit=0.7, *, most=9):
    if image.ndim == 3 or image.shape[-1] == 4 or image.std() < 6.0:
        local = 99
    least = max(limit, 0.01)
    return image.clip(least, 200)
'''


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Constant]:
    path = tmp_path / "module.py"
    path.write_text(MODULE)
    return {constant.where: constant for constant in constants(path)}


def test_literals_by_where_they_stand(found: dict[str, Constant]) -> None:
    assert {where: constant.literals for where, constant in found.items()} == {
        "ALONE": ("0.3",),
        "FIRST": ("7",),
        "SECOND": ("2.5",),
        "APART": ("11",),
        "Settings.rounds": ("30",),
        "chosen.limit=": ("0.7",),
        "chosen.most=": ("9",),
        "chosen.image.std() < 6.0": ("6.0",),
        "chosen.max(limit, 0.01)": ("0.01",),
        "chosen.image.clip(least, 200)": ("200",),
    }


def test_measurement_is_the_first_sentence_of_the_block_s_docstring(
    found: dict[str, Constant],
) -> None:
    measured = {where: each.measurement for where, each in found.items() if each.measurement}
    assert measured == {
        "ALONE": "Measured: 0.28 fails.",
        "FIRST": "Of both.",
        "SECOND": "Of both.",
    }


def test_nothing_is_excepted_that_is_not_there() -> None:
    """Each name leads to a module of the package, and no further name hides within it."""
    for name in FIXED:
        first, *rest = name.split(".")
        path = PACKAGE / first
        while rest and not path.with_suffix(".py").exists():
            path /= rest.pop(0)
        assert path.is_dir() or path.with_suffix(".py").exists(), name
        if rest:
            assert rest[0] in path.with_suffix(".py").read_text(), name
    assert len(FIXED) == len(set(FIXED)) == sum(map(len, EXCEPTED.values()))
