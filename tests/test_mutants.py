"""What `make mutants` looks at; the mutants themselves take too long for every run of the tests."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("mutants", ROOT / "tools" / "mutants.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


@pytest.mark.parametrize("file", ["geometry/model_schedule.py", "aligner.py"])
def test_a_file_is_held_to_the_test_file_of_its_name(file: str) -> None:
    test = tool.mirror(f"align_cli/engine/{file}")
    assert (ROOT / test).exists()
    assert list(tool.chosen([f"align_cli/engine/{file}"], None)) == [
        (f"align_cli/engine/{file}", test)
    ]


def test_a_file_without_tests_of_its_own_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(tool.chosen(["align_cli/engine/nothing.py"], None)) == []
    told = capsys.readouterr().out
    assert told == "align_cli/engine/nothing.py: there is no tests/engine/test_nothing.py\n"


def test_what_changed_since_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git; install it: apt-get install git")

    def git(*arguments: str) -> None:
        me = ("-c", "user.name=me", "-c", "user.email=me@example.org")
        subprocess.run(["git", *me, *arguments], cwd=tmp_path, check=True, capture_output=True)

    monkeypatch.setattr(tool, "ROOT", tmp_path)
    engine = tmp_path / "align_cli" / "engine" / "geometry"
    engine.mkdir(parents=True)
    for name in ("same", "gone", "old", "new"):
        (engine / f"{name}.py").write_text("a = 1\n")
    (tmp_path / "other.py").write_text("a = 1\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "-m", "one")
    (engine / "old.py").write_text("a = 2\n")
    git("commit", "-a", "-m", "two")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    (engine / "new.py").write_text("a = 2\n")
    (engine / "gone.py").unlink()
    (tmp_path / "other.py").write_text("a = 2\n")
    new, old = (f"align_cli/engine/geometry/{name}.py" for name in ("new", "old"))
    assert tool.changed(None) == [new]
    assert tool.changed("HEAD~1") == [new, old]
    git("update-ref", "-d", "refs/remotes/origin/main")
    assert tool.changed(None) == [new, old]


def test_annotations_are_left_alone() -> None:
    source = (
        "def f(a: int | None = 1 | 2) -> int | None:\n    b: int | None = 3 | a\n    return b\n"
    )
    lines = source.splitlines()
    found = [lines[begin[0] - 1][begin[1] : end[1]] for begin, end in tool.annotations(source)]
    assert found == ["int | None"] * 3


@pytest.mark.parametrize("name", ["ReplaceBinaryOperator_Add_Sub", "NumberReplacer", "AddNot"])
def test_some_operators_are_replaced(name: str) -> None:
    assert tool.OPERATORS.fullmatch(f"core/{name}")


@pytest.mark.parametrize("name", ["ReplaceBinaryOperator_Add_Pow", "RemoveDecorator"])
def test_others_are_not(name: str) -> None:
    assert not tool.OPERATORS.fullmatch(f"core/{name}")
