"""Change one operator or number at a time, and see whether the file's own tests notice.

Of the files of align_cli/engine/ that differ from a revision, each is held to the test file that
mirrors it. What survives is printed as a diff: a test is missing, or the change changes nothing.
All of it happens in a copy of the repository, below build/.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COPY: Final = ROOT / "build" / "mutants"
ENGINE: Final = "align_cli/engine"

OPERATORS: Final = re.compile(
    r"core/(?:"
    r"ReplaceBinaryOperator_(?:Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_Div|Pow_Mul"
    r"|BitAnd_BitOr|BitOr_BitAnd|BitXor_BitAnd|LShift_RShift|RShift_LShift)"
    r"|ReplaceComparisonOperator_(?:Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt"
    r"|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Is_IsNot|IsNot_Is)"
    r"|ReplaceUnaryOperator_(?:USub_UAdd|Delete_USub|Delete_Not|Delete_Invert)"
    r"|AddNot|Replace(?:TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd)"
    r"|Replace(?:BreakWithContinue|ContinueWithBreak)|NumberReplacer|ZeroIterationForLoop)"
)
"""One replacement for each operator, two for comparisons (off by one, and the reverse)."""


def mirror(path: str) -> str:
    """The test file of a file of the engine."""
    folder, name = os.path.split(path.removeprefix("align_cli/"))
    return f"tests/{folder}/test_{name}"


def changed(since: str | None) -> list[str]:
    """The files of the engine that differ from a revision: origin/main, or else the one before."""
    known = _git("rev-parse", "--verify", "--quiet", "origin/main", check=False)
    since = since or ("origin/main" if known else "HEAD~1")
    names = _git("diff", "--name-only", "--diff-filter=d", since, "--", f"{ENGINE}/*.py")
    return names.splitlines()


def _git(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=check
    )
    return done.stdout


def copy() -> None:
    """Make build/mutants/ a copy of the working copy, with its compiled core."""
    shutil.rmtree(COPY, ignore_errors=True)
    core = [str(path.relative_to(ROOT)) for path in (ROOT / "align_cli/native").glob("_core.*")]
    for name in [*_git("ls-files", "-co", "--exclude-standard").splitlines(), *core]:
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where the annotations begin and end, (line, column): nothing evaluates them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for name in ("annotation", "returns"):
            note = getattr(node, name, None)
            if note is not None:
                found.append(
                    ((note.lineno, note.col_offset), (note.end_lineno, note.end_col_offset))
                )
    return found


def survivors(path: str, test: str) -> tuple[int, list[str]]:
    """Try every mutant of a file; how many there were, and the diffs of those that survive."""
    from cosmic_ray.commands import execute, init  # noqa: PLC0415  (rarely needed)
    from cosmic_ray.config import ConfigDict  # noqa: PLC0415
    from cosmic_ray.work_db import WorkDB, use_db  # noqa: PLC0415
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult  # noqa: PLC0415

    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test]
    begin = time.monotonic()
    if subprocess.run(command, cwd=COPY, stdout=subprocess.DEVNULL, check=False).returncode:
        raise SystemExit(f"{test} fails as it is: run it first")
    config = ConfigDict(
        {
            "module-path": path,
            "timeout": 10.0 + 5.0 * (time.monotonic() - begin),
            "test-command": shlex.join(command),
            "distributor": {"name": "local"},
        }
    )
    idle = annotations((COPY / path).read_text("utf-8"))
    with use_db(str(COPY / "mutants.sqlite"), WorkDB.Mode.create) as database:
        init([Path(path)], database, {})
        for item in database.pending_work_items:
            mutation = item.mutations[0]
            in_vain = any(begin <= mutation.start_pos < end for begin, end in idle)
            if in_vain or not OPERATORS.fullmatch(mutation.operator_name):
                database.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED))
        count = len(list(database.pending_work_items))
        print(f"{path}: {count} mutants", flush=True)
        execute(database, config)
        return count, [
            str(result.diff)
            for _, result in database.completed_work_items
            if result.test_outcome == TestOutcome.SURVIVED
        ]


def chosen(files: Sequence[str], since: str | None) -> Iterator[tuple[str, str]]:
    """Each file, and its test file; tells which have none."""
    for path in files or changed(since):
        test = mirror(path)
        if (ROOT / test).exists():
            yield path, test
        elif not path.endswith("__init__.py"):
            print(f"{path}: there is no {test}")


def main() -> None:
    """Try the files that the command line names, or those that changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--since", metavar="REVISION", help="default: origin/main, or HEAD~1")
    parser.add_argument("files", nargs="*", metavar="FILE", help="instead of those that changed")
    asked = parser.parse_args()
    pairs = list(chosen(asked.files, asked.since or None))
    if not pairs:
        print("no file of the engine that has a test file of its own changed")
        return
    copy()
    # A mutant has the size and, within a second, the time of the file: its bytecode would be taken.
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(COPY)}
    os.chdir(COPY)
    for path, test in pairs:
        count, alive = survivors(path, test)
        for diff in alive:
            print(f"\n{diff}")
        print(f"{path}: {count - len(alive)} of {count} mutants were found by {test}")


if __name__ == "__main__":
    main()
