"""What is missing or mistyped on a command line: every message names what to type."""

from __future__ import annotations

import click
import pytest

from align_cli.commands.group import cli
from align_cli.commands.usage_errors import WHAT
from tests.commands.conftest import Imalign


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.png", "DST is missing, the image to align it to; type imalign align SRC DST"),
        ("-m rigid", "SRC is missing, the image to align; type imalign align SRC DST"),
        ("check t.json a.png", "DST is missing, the image to align it to; type imalign check TR"),
        ("check", "TRANSFORM is missing, a JSON of imalign, or a transform of another program"),
        ("selftest a.png", "; type imalign selftest SRC DST"),
        ("apply t.json", "; type imalign apply TRANSFORM IMAGE..."),
        ("evaluate t.json", "--truth is missing; type imalign evaluate TRANSFORM --truth PATH"),
        ("convert t.json", "OUT is missing, the file to write; its name selects the format"),
        ("a.png b.png --threads", "--threads needs a value: --threads N; imalign align --help"),
        ("apply t.json a.png --interpolation", "--interpolation nearest|linear|cubic|lanczos; im"),
        ("a.png b.png --modle rigid", "--model"),
        ("a.png b.png -m affin", "'similarity', 'affine', 'homography', 'auto'"),
    ],
)
def test_the_next_thing_to_type(imalign: Imalign, line: str, words: str) -> None:
    result = imalign(*line.split())
    assert result.returncode == 2
    assert words in result.stderr


def test_every_argument_is_explained() -> None:
    names = {
        param.human_readable_name
        for command in cli.commands.values()
        for param in command.params
        if isinstance(param, click.Argument)
    }
    assert names == set(WHAT)
