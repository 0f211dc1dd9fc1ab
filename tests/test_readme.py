"""What README.md says is what the command and the package do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from align_cli.commands.align import align as align_command
from align_cli.commands.exit_codes import MEANINGS
from align_cli.commands.group import cli
from align_cli.engine.records import Status
from align_cli.files.images import write_image
from tests.scenes import pair

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def options_of(command: click.Command) -> list[str]:
    return [
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--") and name != "--photometric"
    ]


@pytest.mark.parametrize("option", options_of(align_command))
def test_every_option_is_in_the_readme(option: str) -> None:
    short = {"--quiet": "-q", "--verbose": "-v"}.get(option, option)
    assert f"`{short}" in README


def test_the_readme_names_no_option_that_is_not_there() -> None:
    table = README.split("| option | meaning |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(--[a-z-]+)", table))
    assert named <= set(options_of(align_command))


@pytest.mark.parametrize("code", MEANINGS)
def test_every_exit_code_is_in_the_readme(code: int) -> None:
    assert re.search(rf"\b{code:d}\b", README.split("| exit code | meaning |")[1])


@pytest.mark.parametrize("status", Status)
def test_every_outcome_is_in_the_readme(status: Status) -> None:
    assert f"`{status.value}`" in README


@pytest.mark.parametrize("command", cli.commands)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"imalign {command}" in README or command == "align"


SHELL_LINES = [
    line.split("  #")[0].strip()
    for line in re.search(r"## Use the transform again\n\n```sh\n(.*?)```", README, re.DOTALL)[1]
    .strip()
    .splitlines()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lines of the README are run on."""
    folder = tmp_path_factory.mktemp("readme")
    images = pair("rigid", seed=3, dtype="uint8")
    write_image(folder / "scan.png", images.source)
    write_image(folder / "original.png", images.target)
    for name in ("infrared.tif", "labels.png", "frames/1.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_image(folder / name, images.source)
    (folder / "landmarks.csv").write_text("x,y\n10,20\n")
    np.savetxt(folder / "truth.txt", images.source_to_target)
    with pytest.MonkeyPatch.context() as there:
        there.chdir(folder)
        result = CliRunner().invoke(cli, ["scan.png", "original.png", "-q", "--no-error-map"])
    assert result.exit_code == 0, result.output
    for name in ("part_to_whole", "whole_to_map", "before", "after"):
        (folder / f"{name}.json").write_bytes((folder / "scan_aligned.json").read_bytes())
    return folder


@pytest.mark.parametrize("line", SHELL_LINES)
def test_the_lines_of_the_readme_can_be_pasted(
    folder: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(cli, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output


def test_the_python_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    images = pair("rigid", seed=3)
    names = {"source": images.source, "target": images.target, "frames": [images.source]}
    names["usable"] = np.ones(images.target.shape[:2], np.bool_)
    exec(block[1], names)
    assert images.error_px(names["found"].source_to_target) < 0.01
    assert np.isclose(names["shifts"][0], images.source_to_target[:2, 2], atol=0.01).all()
    assert "1.0 " in capsys.readouterr().out or names["found"].outcome.aligned


def test_the_worked_point_of_the_readme() -> None:
    row = r"\[\[1, 0, (-?\d+)\], \[0, 1, (-?\d+)\], \[0, 0, 1\]\]"
    found = re.search(row + r"`[^(]*\((\d+), (\d+)\)[^(]*\((\d+), (\d+)\)", README)
    assert found is not None
    x, y, a, b, c, d = (int(number) for number in found.groups())
    assert (a + x, b + y) == (c, d)
