from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from align_cli.commands.exit_codes import ExitCode
from align_cli.commands.first_help import DOES, LINES
from align_cli.commands.group import COMMANDS, cli
from tests.commands.conftest import ROOT, Imalign


def test_the_command_alone_says_what_to_type(imalign: Imalign) -> None:
    result = imalign()
    assert result.returncode == ExitCode.USAGE
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) <= 12
    for words in ("imalign scan.png original.png", "imalign apply", "imalign doctor", "imalign -h"):
        assert words in result.stderr


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_help_fits_on_a_screen(columns: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "align_cli", "-h"],
        env={**os.environ, "COLUMNS": columns},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = result.stdout.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80
    assert "imalign align --help" in result.stdout
    assert all(result.stdout.count(f" {line.option} ") == 1 for line in LINES)
    for title in ("Output", "Model", "Start", "Pixels", "Limits"):
        assert f"{title}:" in lines


def test_the_options_of_the_help_are_those_of_the_command() -> None:
    options = {
        name: option
        for option in cli.commands["align"].params
        if isinstance(option, click.Option)
        for name in option.opts
    }
    for line in LINES:
        option = options[line.option]
        assert option.is_flag == (line.value == "")
        if isinstance(option.type, click.Choice) and line.value == "NAME":
            assert line.text == ", ".join(option.type.choices)


def test_every_command_is_in_the_help(imalign: Imalign) -> None:
    assert set(DOES) <= set(COMMANDS)
    _, _, listed = imalign("-h").stdout.partition("\nCommands ")
    names = [line.split()[0] for line in listed.splitlines()[1 : 1 + len(DOES)]]
    assert names == list(DOES)
    others = listed.splitlines()[1 + len(DOES)].partition(";")[0].split(", ")
    assert sorted([*names, *(each.strip() for each in others)]) == sorted(COMMANDS)
