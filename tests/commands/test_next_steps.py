"""The line that names what to type next; ``first_quarter_of_an_hour.py`` types it."""

from __future__ import annotations

import shlex
from pathlib import Path

from align_cli.commands.next_steps import after_alignment, after_apply, after_check, after_refusal
from tests.commands.conftest import Imalign


def test_names_are_quoted_as_a_shell_reads_them() -> None:
    said = after_alignment("in/my scan.png", "my scan_aligned.json", None)
    assert said == (
        "next: to look at it, add --report 'my scan.html'; to resample another image, imalign "
        "apply 'my scan_aligned.json' IMAGE"
    )
    assert shlex.split(after_refusal("$(x).png", None))[-1] == "$(x).html"
    assert after_alignment("a\nb.png", "-", None).isprintable()


def test_what_is_not_there_is_not_named() -> None:
    for json in (None, "-"):
        assert after_alignment("a.png", json, None) == "next: to look at it, add --report a.html"
        said = after_alignment("a.png", json, "p/q.html")
        assert said == "next: to look at it, open p/q.html in a browser"
    assert after_refusal("a.png", "q.html") == ""
    assert after_apply("-", inverse=False) == ""


def test_a_check_is_shown_beside_the_report_of_the_alignment() -> None:
    said = after_check("a_aligned.json", "a.png", None, usable=True)
    assert "--report a_aligned.html; " in said
    assert "imalign apply a_aligned.json IMAGE" in said
    assert after_check("-", "a.png", None, usable=True).endswith("add --report a.html")
    assert after_check("t.txt", "a.png", None, usable=False).endswith("add --report t.html")


def test_the_python_is_an_expression_whatever_the_name() -> None:
    for name in ("a.json", "it's.json", "two\nlines.json", "caf\udce9.json"):
        said = after_apply(name, inverse=True)
        assert said.isprintable()
        code = said.removeprefix("next: in Python, ").removesuffix(" does the same")
        compile(code, "said", "eval")
        assert eval(code.split("load")[1].split(".inverse")[0]) == name
        assert code.endswith(".inverse().warp(image)")


def test_quiet_names_nothing(imalign: Imalign, pair: tuple[Path, Path]) -> None:
    assert "\nnext: " in imalign("a.png", "b.png").stderr
    assert imalign("a.png", "b.png", "-q").stderr == ""
    assert imalign("apply", "a_aligned.json", "a.png", "-q").stderr == ""


def test_a_transform_at_another_scale_is_not_said_to_be_the_same(
    imalign: Imalign, pair: tuple[Path, Path]
) -> None:
    assert imalign("a.png", "b.png", "-q").returncode == 0
    assert "next: " in imalign("apply", "a_aligned.json", "a.png").stderr
    assert "next: " not in imalign("apply", "a_aligned.json", "a.png", "--rescale").stderr
