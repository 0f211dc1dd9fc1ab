"""What is installed is called align-cli; imalign, on PyPI, is another author's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from align_cli.commands import run as module
from align_cli.commands.exit_codes import ExitCode
from align_cli.version import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text()

# Everything that a pip is told, up to the end of the line or of the command.
INSTALLS = re.compile(r"pip[\w.-]*[\"', ]+(?:install|download|wheel)\b[^\n;`]*")
FOREIGN = re.compile(r"(?<![\w./-])imalign(?![\w./-])")
FOLDERS = (
    "align_cli",
    "benchmarks",
    "build_backend",
    "docs",
    "sample_data",
    "tests",
    "tools",
    ".ci",
)


def texts() -> list[Path]:
    """Every text of the repository, but for this one."""
    found = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    kinds = ("", ".c", ".h", ".in", ".json", ".md", ".py", ".sh", ".toml")
    return [path for path in found if path.suffix in kinds and path != Path(__file__).resolve()]


def foreign(text: str) -> list[str]:
    """The commands for pip in a text that name the other author's distribution."""
    joined = re.sub(r"\"\s*\n\s*f?\"", "", text)  # a message may be written in two halves
    return [found for found in INSTALLS.findall(joined) if FOREIGN.search(found)]


def test_the_command_and_the_package_keep_their_names() -> None:
    assert re.search(r"^name = \"(.*?)\"", PROJECT, re.MULTILINE)[1] == DISTRIBUTION == "align-cli"
    assert 'imalign = "align_cli.__main__:main"' in PROJECT


def test_nothing_says_to_install_the_other_authors_distribution() -> None:
    paths = texts()
    assert {"README.md", "Makefile", "run.py", "library.py", "formats.md"} <= {
        path.name for path in paths
    }
    assert {path: found for path in paths if (found := foreign(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "run pip install --force imalign",
        "python -m pip install --no-deps imalign==0.1",
        "pip3 install 'imalign[bench]'",
        '("-m", "pip", "install", "imalign")',
        '"run pip install "\n        f"imalign"',
    ],
)
def test_such_a_line_would_be_found(text: str) -> None:
    assert foreign(text)


@pytest.mark.parametrize(
    "text", ["pip install .\nimalign a.png b.png", "pip install align-cli; imalign --help"]
)
def test_the_command_itself_is_no_such_line(text: str) -> None:
    assert not foreign(text)


def test_an_incomplete_installation_is_told_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ImportError("No module named 'tqdm'", name="tqdm")

    monkeypatch.setattr(module.cli, "main", fails)
    assert module.run(["a.png", "b.png"]) == ExitCode.INSTALLATION
    told = capsys.readouterr().err
    assert f"run pip install --force-reinstall {DISTRIBUTION}\n" in told
