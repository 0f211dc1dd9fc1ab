"""``benchmarks.constants`` finds each chosen number once, with its measurement."""

import json
from pathlib import Path

import pytest

from benchmarks.constant_origins import EXCEPTED, MEASURED_BY
from benchmarks.constants import (
    FIXED,
    HEAD,
    PACKAGE,
    PAGE,
    ROOT,
    Constant,
    changes,
    constants,
    goals,
    page_rows,
    rows,
    write_table,
)

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


def test_goals_count_names_literals_and_what_has_no_measurement(
    found: dict[str, Constant],
) -> None:
    names, literals, unmeasured = goals(list(found.values()))
    assert (names.measured, literals.measured, unmeasured.measured) == (10, 10, 7)


def test_no_constant_of_the_package_is_without_a_measurement() -> None:
    assert [constant.name for constant in constants(PACKAGE) if not constant.measurement] == []


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


def test_the_page_has_the_constants_of_the_code_and_nothing_else() -> None:
    """If not: ``python -m benchmarks.constants --table``."""
    written = page_rows(PAGE.read_text("utf-8"))
    assert [cells[:4] for cells in written] == [row.cells("")[:4] for row in rows()]


def test_each_constant_of_the_page_says_what_measures_it() -> None:
    assert [cells[0] for cells in page_rows(PAGE.read_text("utf-8")) if not all(cells[3:])] == []


def test_what_measures_is_there_and_needed() -> None:
    names = [row.name for row in rows()]
    for key, sources in MEASURED_BY.items():
        assert any(f"{name}.".startswith(f"{key}.") for name in names), key
        for source in sources:
            path = source if "/" in source else f"{source.replace('.', '/')}.py"
            assert (ROOT / path).exists(), source


def test_a_new_table_keeps_what_was_seen_of_values_that_are_the_same(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    some = rows()[:2]
    lines = [f"| {' | '.join(row.cells('digits'))} |" for row in some]
    other = lines[1].replace(f"| {some[1].value} |", "| 12345 |")
    page.write_text(f"# Page\n\n{HEAD}\n| --- |\n{lines[0]}\n{other}\n")
    write_table(page, None)
    written = page_rows(page.read_text())
    assert len(written) == len(rows())
    assert [cells[4] for cells in written[:2]] == ["digits", "not asked"]
    assert page.read_text().startswith("# Page\n\n| constant |")


def test_what_was_seen_in_words(tmp_path: Path) -> None:
    record = tmp_path / "seen"
    quiet = {"failed": "", "verdicts": 0, "bits": 0, "moved_px": 0.0, "iterations": 1.0}
    found = {
        "a": [{}, {"verdicts": 2, "moved_px": 5.0}],
        "b": [{"moved_px": 0.0123}, {}],
        "c": [{"iterations": 0.9}, {}],
        "d": [{"bits": 3, "moved_px": 0.0004}, {}],
        "e": [{}, {}],
        "f": [{"failed": "ValueError"}, {}],
    }
    lines = [json.dumps(quiet | {"name": n} | each) for n, both in found.items() for each in both]
    record.write_text("\n".join(lines))
    assert changes(record) == {
        "a": "2 verdicts",
        "b": "a corner by 0.012 px",
        "c": "iterations",
        "d": "digits",
        "e": "nothing",
        "f": "all: no answer",
    }
