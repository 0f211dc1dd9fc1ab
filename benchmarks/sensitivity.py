"""What does a chosen number of the engine change? ``python -m benchmarks.sensitivity [NAME ...]``.

One at a time: of the package a copy is made in which one constant of ``benchmarks.constants`` is
halved, then doubled (``changed`` says what that means for shares, exponents and sides of kernels),
and each copy answers the same pairs in a process of its own: pairs drawn from photographs, of
``sample_data``, and of the real, unlike and reported ones of the folder beside the repository, if
it is there. NAMEs are what the wanted constants' names begin with, as ``engine.search.loop`` or
``engine.search.loop.PASS``; without any all of the engine are asked.

A line for each copy: pairs whose verdict, status or model changed, how far the corners of a
transform that is aligned or doubtful in both moved at most (px), pairs of whose whole result any
bit changed, iterations and processor time as shares of those of the package as it is. Last the
constants neither of whose changes any pair noticed.
"""

from __future__ import annotations

import ast
import compileall
import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from align_cli.files.images import read_image
from benchmarks.arguments import parser
from benchmarks.constants import NOTICED_PX, PACKAGE, Constant, constants
from benchmarks.real_folders import FOLDER, TRUTH, Pixels, entries, read_pair
from benchmarks.scenes import exposed, frames, mosaic, random_motion

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
ANSWERS = Path(__file__).with_name("sensitivity_answers.py")
MOVE_PX = 6
LARGE = (2400, 1800)
"""(width, height) of the largest pair."""
REAL = {
    "": ("bikes1",),
    "real": ("room", "cells_1"),
    "unlike": ("depth-optical",),
}
REPORTS = (
    "defocus_8",
    "frame_mount_12",
    "icon_12",
    "icon_24",
    "stars_hot_50",
    "sunburst_mid",
    "template_texture_48",
)
"""Chosen so that, with the others, they read as many constants as possible in three seconds."""
REFERENCES = 3
"""Runs of the package as it is, for its time."""
MOST_TIMES_AS_LONG = 20
"""A copy that takes so many times as long as the package has no answer."""
NOTICED_TIME = 0.05
"""Share of the processor time; twice what two runs of the same package differ by."""

Options = dict[str, Any]
Asked = tuple[Pixels, Pixels, Options]


def pairs() -> Iterator[Asked]:
    """Sources, targets and options."""
    rng = np.random.default_rng(0)
    coffee, camera = frames(("coffee.png", "camera.png"), rim=MOVE_PX)
    for options in (
        {"model": "affine"},
        {"model": "homography", "preset": "precise"},
        {"model": "auto", "preset": "fast"},
        {"model": "rigid", "similarity": "gradient"},
    ):
        drawn = str(options["model"]).replace("auto", "similarity")
        truth = random_motion(drawn, coffee.size, MOVE_PX, rng)
        yield exposed(coffee.source(truth), 2.0, rng), exposed(coffee.target, 2.0, rng), options
    yield exposed(coffee.target, 2.0, rng), exposed(camera.target, 2.0, rng), {}
    picture = exposed(mosaic((LARGE[0] + 40, LARGE[1] + 30)), 2.0, rng)
    yield picture[10:-20, 25:-15], picture[15:-15, 20:-20], {}
    brick = exposed(frames(("brick.png",), rim=MOVE_PX)[0].target, 2.0, rng)
    pattern = np.tile(brick[:60, :80], (5, 5))
    yield pattern[3:-3, 4:-4], pattern[:-6, :-8], {"init": "identity"}
    for source in sorted(SAMPLES.glob("*_source.*")):
        other = next(SAMPLES.glob(source.name.replace("_source", "_target")))
        yield read_image(source).pixels, read_image(other).pixels, {"similarity": "auto"}
    for name, wanted in REAL.items():
        for entry in entries(FOLDER / name):
            pair = read_pair(FOLDER / name, entry)
            if pair.name in wanted:
                yield pair.source, pair.target, {"similarity": "auto"}
    for name in REPORTS:
        if (FOLDER / "reports" / name / TRUTH).exists():
            source, target = (
                read_image(FOLDER / "reports" / name / f"{role}.png").pixels
                for role in ("source", "target")
            )
            yield source, target, {"similarity": "auto"}


def changed(number: float, *, exponent: bool, factor: float) -> float:
    """A literal times ``factor``, 1/2 or 2, as far as its meaning bears it.

    An exponent has one less or one more. A number from 1/2 to 1 is taken for a share: its double
    lies half as far from 1. A whole number stays one, and an odd one stays odd, since it may be the
    side of a kernel.
    """
    if isinstance(number, int):
        if exponent:
            return number + (1 if factor > 1.0 else -1)
        return max(1, int(number * factor)) | (number & 1)
    if 0.5 < number < 1.0 and factor > 1.0:
        return 1.0 - (1.0 - number) / factor
    return number * factor


def exponents(tree: ast.Module) -> set[tuple[int, int]]:
    """Line and column of the literals that others are raised to or shifted by."""
    raised = (
        node.right
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift | ast.Pow)
    )
    literals = (node.operand if isinstance(node, ast.UnaryOp) else node for node in raised)
    return {(node.lineno, node.col_offset) for node in literals}


def rewritten(constant: Constant, factor: float) -> tuple[str, tuple[float, ...]]:
    """Its module's text with its literals changed, and what they became."""
    text = constant.path.read_text("utf-8")
    raised = exponents(ast.parse(text))
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    became = []
    for node in sorted(constant.nodes, key=lambda node: (-node.lineno, -node.col_offset)):
        new = changed(node.value, exponent=(node.lineno, node.col_offset) in raised, factor=factor)
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = (
            line[: node.col_offset] + repr(new).encode() + line[node.end_col_offset :]
        )
        became.append(new)
    return b"".join(lines).decode(), tuple(became[::-1])


@dataclass(frozen=True)
class Noticed:
    """What a changed constant did to the answers.

    Attributes:
        name: the constant's, with its module's.
        became: its literals in the copy.
        failed: what stopped the copy; empty where it answered.
        verdicts, bits: pairs whose verdict, status or model, and of whose result anything, changed.
        moved_px: the furthest that a corner went of a transform that is no failure in both.
        iterations, seconds: of all pairs, over those of the package as it is.
    """

    name: str
    became: tuple[float, ...]
    failed: str = ""
    verdicts: int = 0
    bits: int = 0
    moved_px: float = 0.0
    iterations: float = 1.0
    seconds: float = 1.0

    @property
    def visible(self) -> bool:
        """Whether more than rounding changed, or the time did."""
        return bool(
            self.failed
            or self.verdicts
            or self.moved_px > NOTICED_PX
            or self.iterations != 1.0
            or abs(self.seconds - 1.0) > NOTICED_TIME
        )


Answers = list[dict[str, Any]]


def answers(folder: Path, images: Path, limit_s: float | None = None) -> Answers | str:
    """Of the package in a folder to the pairs of a file; or why there are none."""
    variables = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            [sys.executable, str(ANSWERS), str(images)],
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
            env=variables,
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        return "takes too long"
    if run.returncode:
        return (run.stderr.strip().splitlines() or [f"signal {-run.returncode}"])[-1]
    return [json.loads(line) for line in run.stdout.splitlines()]


def usable(answer: dict[str, Any]) -> bool:
    return str(answer["verdict"]).startswith(("aligned", "doubtful"))


def compared(name: str, became: tuple[float, ...], now: Answers | str, before: Answers) -> Noticed:
    """The answers of a copy with those of the package as it is."""
    if isinstance(now, str):
        return Noticed(name, became, failed=now)
    together = list(zip(now, before, strict=True))
    moved = [
        float(np.hypot(*(np.array(a["corners"]) - b["corners"]).T).max())
        for a, b in together
        if usable(a) and usable(b)
    ]
    share = {
        what: sum(a[what] for a in now) / sum(b[what] for b in before)
        for what in ("iterations", "seconds")
    }
    return Noticed(
        name,
        became,
        verdicts=sum(a["verdict"] != b["verdict"] for a, b in together),
        bits=sum(a["bits"] != b["bits"] for a, b in together),
        moved_px=max(moved, default=0.0),
        **share,
    )


def experiments(wanted: tuple[str, ...]) -> Iterator[tuple[Constant, float]]:
    """Each constant of the engine whose name begins as one that is wanted, halved and doubled."""
    for constant in constants(PACKAGE / "engine"):
        if not wanted or constant.name.startswith(wanted):
            yield from ((constant, factor) for factor in (0.5, 2.0))


def measured(
    wanted: tuple[str, ...], known: set[tuple[str, tuple[float, ...]]]
) -> Iterator[Noticed]:
    """What each change did, but for those that are ``known``."""
    with tempfile.TemporaryDirectory() as name:
        folder, images = Path(name), Path(name) / "pairs.pickle"
        images.write_bytes(pickle.dumps(list(pairs())))
        copy = folder / PACKAGE.name
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        compileall.compile_dir(copy, quiet=1)
        runs = [answers(folder, images) for _ in range(REFERENCES)]
        references = [run for run in runs if not isinstance(run, str)]
        if len(references) < len(runs):
            sys.exit(f"the package itself has no answers: {runs}")
        before = min(references, key=spent)
        print(f"{len(before)} pairs, {spent(before):.2f} s each time", flush=True)
        for constant, factor in experiments(wanted):
            text, became = rewritten(constant, factor)
            if (constant.name, became) in known or became == values(constant):
                continue
            module = copy / constant.path.relative_to(PACKAGE)
            Path(importlib.util.cache_from_source(str(module))).unlink(missing_ok=True)
            module.write_text(text, "utf-8")
            now = answers(folder, images, MOST_TIMES_AS_LONG * spent(before))
            module.write_bytes(constant.path.read_bytes())
            yield compared(constant.name, became, now, before)


def values(constant: Constant) -> tuple[float, ...]:
    return tuple(node.value for node in constant.nodes)


def spent(run: Answers) -> float:
    return sum(answer["seconds"] for answer in run)


def line(noticed: Noticed) -> str:
    became = ", ".join(f"{number:g}" for number in noticed.became)
    left = f"{noticed.name[:66]:68}{became[:20]:>20}"
    if noticed.failed:
        return f"{left}  {noticed.failed}"
    return (
        f"{left}{noticed.verdicts:>10}{noticed.moved_px:>10.4f}{noticed.bits:>6}"
        f"{noticed.iterations:>12.3f}{noticed.seconds:>8.2f}"
    )


def recorded(path: Path) -> list[Noticed]:
    """What an earlier run wrote."""
    if not path.exists():
        return []
    rows = map(json.loads, path.read_text().splitlines())
    return [Noticed(**row | {"became": tuple(row["became"])}) for row in rows]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="NAME")
    options.add_argument(
        "--record", type=Path, metavar="FILE", help="write each line at once; skip what it holds"
    )
    arguments = options.parse_args()
    wanted, record = tuple(arguments.names), arguments.record
    found = recorded(record) if record else []
    print(
        f"{'':68}{'became':>20}{'verdicts':>10}{'px':>10}{'bits':>6}{'iterations':>12}{'time':>8}"
    )
    for noticed in measured(wanted, {(each.name, each.became) for each in found}):
        print(line(noticed), flush=True)
        found.append(noticed)
        if record:
            with record.open("a") as file:
                file.write(json.dumps(asdict(noticed)) + "\n")
    names = dict.fromkeys(each.name for each in found)
    for heading, seen in (
        ("no bit of any result changed", lambda each: each.bits or each.failed),
        ("nothing but digits below the thousandth of a pixel changed", lambda each: each.visible),
    ):
        quiet = [name for name in names if not any(seen(e) for e in found if e.name == name)]
        print(f"\n{len(quiet)} of {len(names)}: {heading}", *quiet, sep="\n    ")


if __name__ == "__main__":
    main()
