"""The first quarter of an hour, with what is installed; ``make first-quarter`` installs afresh."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.commands.first_quarter_of_an_hour import STEPS, Walk, walk_all

ROOT = Path(__file__).resolve().parents[2]


def test_each_message_names_what_to_type_next(tmp_path: Path) -> None:
    python = [sys.executable, "-W", "error"]
    programs = {"python": python, "imalign": [*python, "-m", "align_cli"]}
    walk_all(Walk(tmp_path, programs, dict(os.environ)))


def test_ci_takes_the_steps_in_a_new_environment() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^first-quarter:.*\n\t.*first_quarter_of_an_hour$", makefile, re.M)
    assert "\nmake first-quarter\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    assert STEPS
