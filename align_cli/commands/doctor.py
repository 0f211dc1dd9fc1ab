"""``imalign doctor``: what is installed, what works, and how to get what is missing."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import click

from align_cli.commands.exit_codes import ExitCode
from align_cli.commands.options import debug_opt, quiet_opt
from align_cli.commands.outputs import LOOK_WHERE, to_stdout
from align_cli.version import DISTRIBUTION, __version__

if TYPE_CHECKING:
    from align_cli.commands.examination import Finding

EPILOG = """\b
Examples:
  imalign doctor
  imalign doctor -q && imalign scan.png original.png

Exit codes: 0 imalign can align images; 5 it cannot, and the lines that begin with FAILED
say why."""


@click.command(epilog=EPILOG)
@quiet_opt
@debug_opt
def doctor(quiet: bool) -> None:
    """Test the installation.

    Prints the versions of everything that is used, the build of OpenCV, the native core and its CPU
    level, the threads, the formats that can be read and written, each of them tried, and the extras
    with the command that installs them. A small pair is aligned at the end.
    """
    from align_cli.commands.examination import examine  # noqa: PLC0415  (help stays quick)

    findings = examine()
    failed = [finding for finding in findings if finding.failed]
    shown = failed if quiet else findings
    if shown:
        to_stdout(table(shown), advice=LOOK_WHERE)
    if failed:
        raise SystemExit(ExitCode.INSTALLATION)


def table(findings: list[Finding]) -> str:
    """One line for each finding, below who and where this is."""
    head = (
        f"imalign {__version__} ({DISTRIBUTION}), Python {platform.python_version()} at "
        f"{sys.executable}, {platform.system()} {platform.machine()}"
    )
    lines = [f"{each.state:<6}  {each.name:<13}  {each.text}" for each in findings]
    return "\n".join([head, *lines]) + "\n"
