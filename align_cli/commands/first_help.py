"""What ``imalign`` and ``imalign -h`` say: what to type, and the options that most people need.

Every option of the command is in ``imalign align --help``; the lines here are shorter, so that both
fit on a screen of 80 columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Final, NamedTuple

import click

from align_cli.commands.option_groups import GROUPS
from align_cli.engine.options import CANVAS_NAMES, INTERPOLATION_NAMES, MODEL_NAMES, PRESET_NAMES

WHAT_TO_TYPE: Final = """\
imalign aligns the image SRC to the image DST. Type, for example:

  imalign scan.png original.png               align scan.png to original.png
  imalign apply scan_aligned.json other.png   resample another image likewise
  imalign check scan_aligned.json scan.png original.png   test the transform
  imalign doctor                              test the installation

imalign -h lists what most people need; imalign align --help, every option.
"""
"""The answer to ``imalign`` alone."""

INTRODUCTION: Final = """\
Align the image SRC to the image DST with sub-pixel accuracy; short for "imalign
align SRC DST". Example: "imalign scan.png original.png" writes
  scan_aligned.png        the source on the target's grid
  scan_aligned.json       the transform, its quality, diagnostics
  scan_aligned_error.png  a heat map of the residual
"""

EXIT_CODES: Final = """\
Exit codes: 0 aligned, 1 not aligned or doubtful, 2 usage, 3 input, 4 output,
5 installation. Every option and code: imalign align --help
"""


class Line(NamedTuple):
    """An option in a few words.

    Attributes:
        option: its long name, which ``imalign align`` has.
        value: what stands for its value; empty for a flag.
        text: what it does.
    """

    option: str
    value: str
    text: str


def _names(names: Sequence[str]) -> str:
    return ", ".join(names)


LINES: Final = (
    Line("--output", "PATH", "warped source; the suffix chooses the format"),
    Line("--json", "PATH", "transform and quality; - is stdout"),
    Line("--error-map", "PATH", "residual: .png, or its values in .tif or .npy"),
    Line("--report", "PATH", "a page to look at: .html"),
    Line("--canvas", "NAME", _names(CANVAS_NAMES)),
    Line("--interpolation", "NAME", _names(INTERPOLATION_NAMES)),
    Line("--model", "NAME", _names((*MODEL_NAMES[:-1], f"{MODEL_NAMES[-1]}, auto"))),
    Line("--preset", "NAME", _names(PRESET_NAMES)),
    Line("--similarity", "auto", "for multimodal images: a negative, infra-red"),
    Line("--init", "START", "a JSON of imalign; dx,dy[,angle[,scale]]; a name"),
    Line("--allow-flip", "", "also try the mirror image of SRC"),
    Line("--roi", "X,Y,W,H", "use only this rectangle of DST"),
    Line("--max-shift", "PX", "fail if the centre of SRC moves further"),
    Line("--min-overlap", "SHARE", "fail if SRC covers less of DST, 0 to 1"),
    Line("--accept-doubtful", "", "write the images of a doubtful result, too"),
)
"""The options of ``imalign -h``."""


def lines_by_group() -> dict[str, list[Line]]:
    """The options of ``imalign -h`` under the titles of the groups that they are in."""
    by_option = {line.option: line for line in LINES}
    groups = {
        title: [by_option[name] for name in group.options if name in by_option]
        for title, group in GROUPS.items()
    }
    return {title: lines for title, lines in groups.items() if lines}


DOES: Final = {
    "apply": "resample other images by the transform",
    "check": "test a transform from any program",
    "points": "map the points of a CSV file",
    "show": "describe a transform in words",
    "doctor": "test the installation",
}
"""The commands that most people need; the others are named after them."""


def first_help(command: click.Command, names: Sequence[str]) -> str:
    """The text of ``imalign -h``: at most 45 lines of 80 columns.

    Args:
        command: ``imalign align``, which has the options.
        names: of all commands.
    """
    shorts = {
        name: "".join(f"{short}, " for short in option.opts if not short.startswith("--"))
        for option in command.params
        for name in option.opts
    }
    lines = ["Usage: imalign SRC DST [OPTIONS]", "       imalign COMMAND [ARGS]...", ""]
    lines += INTRODUCTION.splitlines()
    for title, group in lines_by_group().items():
        lines += ["", f"{title}:"]
        for option, value, text in group:
            lines.append(f"  {f'{shorts[option]}{option} {value}':<20}  {text}")
    lines += ["", "Commands (imalign COMMAND --help tells more):"]
    lines += [f"  {name:<20}  {text}" for name, text in DOES.items()]
    others = [name for name in names if name not in DOES]
    indent = "  "
    lines += wrap(
        f"{', '.join(others)}; --version", 80, initial_indent=indent, subsequent_indent=indent
    )
    lines += ["", *EXIT_CODES.splitlines()]
    return "\n".join(lines) + "\n"
