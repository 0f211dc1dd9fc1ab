"""What is missing or mistyped on a command line: every message names what to type."""

from __future__ import annotations

import re

import click
import pytest

from align_cli.commands.choices import Choice
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
        ("evaluate t.json", "--truth is missing; type imalign evaluate TRANSFORM --truth PATH\n"),
        ("convert t.json", "OUT is missing, the file to write; its name selects the format"),
        ("a.png b.png --threads", "--threads needs a value: --threads N; imalign align --help"),
        ("apply t.json a.png --interpolation", "cubic|lanczos; imalign apply --help tells"),
        ("a.png b.png --modle rigid", "--model"),
        ("a.png b.png -m affin", "'similarity', 'affine', 'homography', 'auto'"),
        ("a.png b.png -m homografy", "Did you mean 'homography'?"),
        ("a.png b.png --preset precice", "Did you mean 'precise'?"),
        ("a.png b.png --loss Huber", "Did you mean 'huber'?"),
        ("a.png b.png --interpolation qubic", "Did you mean 'cubic'?"),
        ("a.png b.png --canvas overlay", "Did you mean 'overlap'?"),
        ("a.png b.png --overlay x.png --overlay-style redcyan", "Did you mean 'red-cyan'?"),
        ("a.png b.png --similarity gradent", "Did you mean 'gradient'?"),
        ("a.png b.png --channel Luma", "Did you mean 'luma'?"),
        ("a.png b.png --init fetures", "Did you mean 'features'?"),
        ("check t.json a.png b.png -m ridgid", "Did you mean 'rigid'?"),
        ("convert t.json x.txt --to opencvv", "Did you mean 'opencv'?"),
    ],
)
def test_the_next_thing_to_type(imalign: Imalign, line: str, words: str) -> None:
    result = imalign(*line.split())
    assert result.returncode == 2
    assert words in result.stderr
    # And the help that tells the rest, as it can be typed.
    (named,) = set(re.findall(r"imalign (?:(\w+) )?(?:-h|--help)\b", result.stderr))
    assert imalign(*filter(None, [named]), "--help").returncode == 0


def test_what_is_like_no_choice_is_given_none(imalign: Imalign) -> None:
    result = imalign("a.png", "b.png", "-m", "xyz")
    assert result.returncode == 2
    assert "'homography'" in result.stderr
    assert "mean" not in result.stderr


def test_every_choice_tells_the_nearest() -> None:
    for command in cli.commands.values():
        for param in command.params:
            if isinstance(param.type, click.Choice):
                assert isinstance(param.type, Choice), param.opts


def test_every_argument_is_explained() -> None:
    names = {
        param.human_readable_name
        for command in cli.commands.values()
        for param in command.params
        if isinstance(param, click.Argument)
    }
    assert names == set(WHAT)
