"""--threads: fewer threads, the same bytes."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import pytest

from align_cli.commands.threads import on_threads
from align_cli.engine.numerics.threads import Threads, limit
from align_cli.workers import available_cores
from tests.commands.conftest import Imalign

Pair = tuple[Path, Path]


def test_so_many_inside_and_as_before_afterwards() -> None:
    before = cv2.getNumThreads()
    with on_threads(1):
        assert (limit(), Threads().count, cv2.getNumThreads()) == (1, 1, 1)
        with on_threads(None):
            assert limit() == 1
    assert (limit(), cv2.getNumThreads()) == (None, before)


def test_opencv_starts_no_more_than_there_are_cores() -> None:
    with on_threads(100_000):
        assert cv2.getNumThreads() == available_cores()


@pytest.mark.parametrize("command", ["align", "check", "selftest"])
def test_results_do_not_depend_on_it(
    imalign: Imalign, pair: Pair, tmp_path: Path, command: str
) -> None:
    (tmp_path / "t.txt").write_text("0.9993 -0.0349 5.25 0.0349 0.9993 -3.5 0 0 1")
    given = {
        "align": ("a.png", "b.png", "-o", "o.png", "--error-map", "e.png", "--json", "o.json"),
        "check": ("t.txt", "a.png", "b.png", "--accept-doubtful", "--json", "o.json"),
        "selftest": ("a.png", "b.png"),
    }[command]
    results = []
    for threads in (("--threads", 1), ("--threads", 3), ()):
        result = imalign(command, *given, *threads)
        assert result.returncode == 0, result.stderr
        files = {p.name: p.read_bytes() for p in tmp_path.glob("[oe].*")}
        results.append((result.stdout, result.stderr, files))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_no_number_of_threads(imalign: Imalign, pair: Pair, threads: str) -> None:
    result = imalign("a.png", "b.png", "--threads", threads)
    assert result.returncode == 2
    assert "--threads" in result.stderr


def test_one_thread_is_one_for_what_is_drawn_too(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner  # noqa: PLC0415

    from align_cli import workers  # noqa: PLC0415
    from align_cli.commands.group import cli  # noqa: PLC0415

    started: list[int] = []
    start = threading.Thread.start

    def counted(thread: threading.Thread) -> None:
        if getattr(thread, "_target", None).__qualname__.startswith(workers.Workers.__name__):
            started.append(1)
        start(thread)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threading.Thread, "start", counted)
    pools = []
    for threads in ([], ["--threads", "1"]):
        started.clear()
        result = CliRunner().invoke(cli, ["a.png", "b.png", "--interpolation", "cubic", *threads])
        assert result.exit_code == 0, result.output
        pools.append(len(started))
    # One reads the images and one writes them; there is no pool beside them.
    assert pools[1] == 2 < pools[0]
