"""The options by what they are for: in ``--help``, in ``-h`` and in docs/options.md."""

from __future__ import annotations

import re
from collections import Counter

import click
import pytest

from align_cli.commands.first_help import lines_by_group
from align_cli.commands.group import cli
from align_cli.commands.option_groups import GROUPS, OTHERS, GroupedCommand
from tests.commands.conftest import ROOT, Imalign

GROUPED = Counter(name for group in GROUPS.values() for name in group.options)
SHORT = {"-q": "--quiet", "-v": "--verbose", "--no-photometric": "--photometric"}


def long_names(command: click.Command) -> list[str]:
    """The first long name of each option, and that of help."""
    context = click.Context(command, help_option_names=["-h", "--help"])
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    return [next(name for name in option.opts if name.startswith("--")) for option in options]


def test_every_option_of_align_is_in_exactly_one_group() -> None:
    assert Counter(long_names(cli.commands["align"])) == GROUPED


@pytest.mark.parametrize("name", ["check", "selftest"])
def test_other_commands_have_no_option_without_a_group(name: str) -> None:
    command = cli.commands[name]
    assert isinstance(command, GroupedCommand)
    assert set(long_names(command)) <= set(GROUPED)


@pytest.mark.parametrize("name", ["align", "check"])
def test_the_help_shows_each_option_once_under_its_heading(imalign: Imalign, name: str) -> None:
    said = imalign(name, "--help").stdout
    assert "\nOptions:" not in said
    assert f"\n{OTHERS}:" not in said
    expected = set(long_names(cli.commands[name]))
    for title, group in GROUPS.items():
        shown = [each for each in group.options if each in expected]
        assert (f"\n{title} ({group.about}):\n" in said) == bool(shown)
        if shown:
            section = said.split(f"\n{title} ({group.about}):\n")[1].split("\n\n")[0]
            rows = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", section, re.M)
            assert rows == shown
            expected -= set(rows)
    assert not expected


def test_an_option_in_no_group_is_shown_nevertheless() -> None:
    command = GroupedCommand("x", params=[click.Option(["--new"]), click.Option(["--json"])])
    said = command.get_help(click.Context(command))
    assert re.search(rf"^{OTHERS}:\n  --new", said, re.M)


def test_the_short_help_has_the_same_groups() -> None:
    assert list(lines_by_group()) == [title for title in GROUPS if title != "Run"]
    for title, lines in lines_by_group().items():
        named = [line.option for line in lines]
        assert named == [name for name in GROUPS[title].options if name in named]


def test_the_page_has_the_same_groups_in_the_same_order() -> None:
    page = (ROOT / "docs" / "options.md").read_text("utf-8")
    section = page.split("\n## imalign align\n")[1].split("\n## ")[0]
    headings = re.findall(r"^\*\*(\w+)\*\*: (.*?)\.(?: |$)", section, re.M)
    assert headings == [(title, group.about) for title, group in GROUPS.items()]
    for title, group in GROUPS.items():
        part = section.split(f"\n**{title}**: ")[1].split("\n**")[0].split("\n### ")[0]
        cells = " ".join(re.findall(r"^\| (`-.*?) \|", part, re.M))
        named = [SHORT.get(name, name) for name in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cells)]
        told = [name for name in named if name.startswith("--")]
        assert told == [name for name in group.options if name != "--help"], title
