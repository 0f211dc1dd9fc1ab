"""Small cases from public bug reports and tutorials: ``python -m benchmarks.reports [FOLDER]``.

FOLDER (default ../shared/data/reports, beside the repository) holds a folder for each case:
``source.png``, ``target.png`` and ``truth.json``; where the pictures are absent the case's
``gen.py`` makes them. Each case is aligned twice, with the model of its ``truth.json`` named and
with default options; a case without an answer once, with default options.

A line for each case: corner error (mean distance over the four corners of the source, px), verdict
and seconds of either run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.goals import Goal, print_goals
from benchmarks.real_folders import FOLDER, TRUTH, Answer, RealPair, answer, read_pair

CASES = FOLDER / "reports"
NAMED, DEFAULT = "model named", "default options"
FILES = {"source": "source.png", "target": "target.png"}
GENERATOR, SHARED_GENERATOR = "gen.py", "gen_common.py"
WRONG_PX = 1.0
RIGHT_PX, RIGHT_PLATE_PX = 0.5, 0.7
"""A colour plate's truth was measured on the plates, to a tenth of a pixel or two."""
LEAST_ALIGNED = {NAMED: 36, DEFAULT: 30}
"""Answers that are right and called aligned."""
MOST_SECONDS = 3.0
"""Of any run."""


@dataclass(frozen=True)
class Case:
    """A pair, and the model that its truth belongs to; None where it has no truth."""

    pair: RealPair
    model: str | None

    @property
    def right_px(self) -> float:
        return RIGHT_PLATE_PX if self.pair.name.startswith("plate") else RIGHT_PX


@dataclass(frozen=True)
class Run:
    case: Case
    name: str
    answer: Answer

    @property
    def right(self) -> bool:
        return self.answer.error_px <= self.case.right_px

    @property
    def falsely_aligned(self) -> bool:
        return self.answer.aligned and self.answer.error_px > WRONG_PX


def read_case(folder: Path) -> Case:
    truth = json.loads((folder / TRUTH).read_text())
    if (folder / FILES["source"]).exists():
        return Case(read_pair(folder, {**FILES, **truth}, name=folder.name), truth["model"])
    with tempfile.TemporaryDirectory() as parent:
        made = _generated(folder, Path(parent) / folder.name)
        return Case(read_pair(made, {**FILES, **truth}, name=folder.name), truth["model"])


def _generated(folder: Path, copy: Path) -> Path:
    """``copy``, with the pictures that the generator of ``folder`` writes beside itself."""
    copy.mkdir()
    shutil.copyfile(folder / GENERATOR, copy / GENERATOR)
    shutil.copyfile(folder.parent / SHARED_GENERATOR, copy.parent / SHARED_GENERATOR)
    command = [sys.executable, str(copy / GENERATOR)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return copy


def runs_of(case: Case) -> list[Run]:
    named = [] if case.model is None else [Run(case, NAMED, answer(case.pair, model=case.model))]
    return [*named, Run(case, DEFAULT, answer(case.pair))]


def line(runs: list[Run]) -> str:
    cells = {run.name: _cell(run.answer) for run in runs}
    case = runs[0].case
    both = "".join(f"{cells.get(name, ''):30}" for name in (NAMED, DEFAULT))
    return f"{case.pair.name:22}{case.model or 'no answer':12}{both}".rstrip()


def _cell(one: Answer) -> str:
    error = f"{'.':>9}" if np.isnan(one.error_px) else f"{one.error_px:>9.3f}"
    return f"{error}  {one.verdict:9}{one.seconds:>6.2f}"


def totals(runs: list[Run]) -> str:
    """How many answers are right, and how many of those are called aligned."""
    lines = []
    for name in (NAMED, DEFAULT):
        right = [run for run in runs if run.name == name and run.right]
        aligned = sum(run.answer.aligned for run in right)
        lines.append(f"{name}: {aligned} of {len(right)} right answers are called aligned")
    return "\n".join(lines)


def goals(runs: list[Run], hopeless: list[Run]) -> list[Goal]:
    slowest = max([*runs, *hopeless], key=lambda run: run.answer.seconds)
    of_name = {name: [run for run in runs if run.name == name] for name in LEAST_ALIGNED}
    return [
        *(
            Goal(
                f"{name}: within {RIGHT_PX:g} px (plates {RIGHT_PLATE_PX:g}) and called aligned",
                sum(run.right and run.answer.aligned for run in of_name[name]),
                len(of_name[name]),
                at_least=least,
            )
            for name, least in LEAST_ALIGNED.items()
        ),
        Goal(
            f"off by more than {WRONG_PX:g} px and called aligned, of {len(runs)} runs",
            sum(run.falsely_aligned for run in runs),
            0,
        ),
        Goal(
            f"without an answer and called aligned, of {len(hopeless)} runs",
            sum(run.answer.aligned for run in hopeless),
            0,
        ),
        Goal(
            f"longest time ({slowest.case.pair.name}, {slowest.name})",
            slowest.answer.seconds,
            MOST_SECONDS,
            unit="s",
        ),
    ]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CASES
    places = sorted(truth.parent for truth in folder.glob(f"*/{TRUTH}"))
    if not places:
        sys.exit(f"{folder} holds no cases: name the folder of the reports")
    print(f"{'':34}{NAMED:^26}{'':4}{DEFAULT:^26}")
    print(f"{'case':22}{'model':12}" + 2 * f"{'px':>9}  {'verdict':9}{'s':>6}{'':4}")
    runs, hopeless = [], []
    for place in places:
        of_case = runs_of(read_case(place))
        print(line(of_case), flush=True)
        (hopeless if of_case[0].case.model is None else runs).extend(of_case)
    print(f"\n{totals(runs)}")
    print_goals(goals(runs, hopeless))


if __name__ == "__main__":
    main()
