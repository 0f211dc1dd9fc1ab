"""Every public name has an example in its docstring, and what it shows is what happens."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import align_cli

# The version is a string, whose docstring is that of ``str``.
DESCRIBED = {name: getattr(align_cli, name) for name in align_cli.__all__ if name != "__version__"}
DESCRIBED["align_cli"] = align_cli


def examples(name: str) -> list[doctest.DocTest]:
    """The examples of a name, and of its methods; the first is its own."""
    recurse = name != "align_cli"
    found = doctest.DocTestFinder(recurse=recurse).find(DESCRIBED[name], name, globs={})
    return sorted((each for each in found if each.examples), key=lambda each: each.name)


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_example_of_a_public_name_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = examples(name)
    assert found, "it has no example"
    assert found[0].name == name, "its own docstring has none"
    for each in found:
        said: list[str] = []
        assert doctest.DocTestRunner(verbose=False).run(each, out=said.append).failed == 0, said


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_example_of_a_public_name_shows_that_name(name: str) -> None:
    own = examples(name)[0]
    assert "# doctest: +SKIP" not in (own.docstring or "")
    lines = "".join(each.source for each in own.examples)
    told = {"Alignment": "align", "Outcome": "outcome", "Quality": "quality", "Uncertainty": "un"}
    assert told.get(name, name) in lines


def test_the_version_is_shown_too() -> None:
    assert ">>> align_cli.__version__" in (align_cli.__doc__ or "")
