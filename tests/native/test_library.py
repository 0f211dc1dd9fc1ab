"""Finding, checking and loading the core, and choosing a level."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.linalg import _umath_linalg

from align_cli.commands.exit_codes import ExitCode
from align_cli.native import filtered_image, points, rows, tiles
from align_cli.native.library import (
    HERE,
    SOURCES,
    CoreError,
    core,
    forced,
    level,
    levels,
    library_path,
    load,
    output,
    plane,
    source_hash,
)
from tests.native.proofs import ROOT, needs_any_compiler

STRUCTURES = {
    "smooth": filtered_image._Smooth,
    "rows": rows._Rows,
    "select_points": points._SelectPoints,
    "points": points._Points,
    "windows": tiles._Windows,
    "tiles": tiles._Tiles,
    "suppress": tiles._Suppress,
    "cells": tiles._Cells,
}
"""The structure that Python passes to each kernel."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder as ``align_cli/native``, inside a tree that is no working copy."""
    folder = tmp_path / "align_cli" / "native"
    shutil.copytree(SOURCES, folder / "src")
    shutil.copy(library_path(), folder)
    return folder


def test_a_copy_loads(copy: Path) -> None:
    assert load(copy).imalign_level() == level().encode()


def test_a_missing_core_is_named_with_what_to_do(copy: Path) -> None:
    library_path(copy).unlink()
    with pytest.raises(
        CoreError, match=r"_core\..* is missing; run .* --no-deps align-cli$"
    ) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_in_a_working_copy_it_is_compiled(copy: Path) -> None:
    needs_any_compiler()
    shutil.copytree(ROOT / "build_backend", copy.parent.parent / "build_backend")
    library_path(copy).unlink()
    with pytest.raises(
        CoreError, match=r"run .* -m build_backend\.compile, or .* -m pip install -e \. "
    ):
        load(copy)
    shutil.copy(HERE / "library.py", copy)
    root = copy.parent.parent
    command = [sys.executable, "-m", "build_backend.compile"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    assert done.stdout == f"{library_path(copy)}\n"
    load(copy)


@pytest.mark.parametrize("name", ["core.h", "kernels.inc", "level_sse2.c", "new.inc"])
def test_a_stale_core_is_told(copy: Path, name: str) -> None:
    with (copy / "src" / name).open("a") as file:
        file.write("/* changed */\n")
    with pytest.raises(
        CoreError, match=rf"built from different sources \({source_hash()}, expected "
    ) as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_line_endings_make_no_core_stale(copy: Path) -> None:
    for path in (copy / "src").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    load(copy)


def test_renaming_makes_a_core_stale(copy: Path) -> None:
    (copy / "src" / "core.h").rename(copy / "src" / "other.h")
    assert source_hash(copy / "src") != source_hash()


def test_a_core_for_another_machine_is_told(copy: Path) -> None:
    library_path(copy).write_bytes(b"MZ of another system")
    with pytest.raises(CoreError, match="cannot be loaded on this machine") as caught:
        load(copy)
    assert "\n" not in str(caught.value)


def test_a_library_that_is_no_core_is_told(copy: Path) -> None:
    shutil.copy(_umath_linalg.__file__, library_path(copy))
    with pytest.raises(CoreError, match=r"cannot be loaded on this machine.*imalign_source_hash"):
        load(copy)


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("_core.*", "__pycache__")
    shutil.copytree(ROOT / "align_cli", tmp_path / "align_cli", ignore=ignored)
    pair = [ROOT / "sample_data" / f"poster_{name}.png" for name in ("source", "target")]
    command = [sys.executable, "-m", "align_cli", "--quiet", *map(str, pair), "-o", "aligned.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.INSTALLATION
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: the native core")
    assert "installation is incomplete" not in done.stderr
    assert not (tmp_path / "aligned.png").exists()


def forcing(name: str, *code: str) -> subprocess.CompletedProcess[str]:
    script = "from align_cli.native.library import level; print(level())"
    return subprocess.run(
        [sys.executable, "-c", *(code or (script,))],
        env={**os.environ, "IMALIGN_CPU_LEVEL": name},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_best_level_is_chosen() -> None:
    assert forcing("").stdout.strip() == levels()[-1]


def test_a_level_can_be_forced() -> None:
    for name in levels():
        assert forcing(name).stdout.strip() == name
        with forced(name):
            assert level() == name


@pytest.mark.parametrize("name", ["avx9", "AVX2", "neon" if "sse2" in levels() else "sse2"])
def test_a_level_that_is_not_here_is_refused(name: str) -> None:
    before = level()
    with pytest.raises(CoreError, match=name), forced(name):
        pass
    assert level() == before
    done = forcing(name)
    assert done.returncode != 0
    assert f"'{name}'" in done.stderr.splitlines()[-1]
    assert ", ".join(levels()) in done.stderr.splitlines()[-1]


def test_every_kernel_has_its_structure() -> None:
    found: dict[str, int] = {}
    while name := core().imalign_kernel_name(len(found)):
        found[name.decode()] = core().imalign_kernel_bytes(len(found))
    assert found == {name: ctypes.sizeof(each) for name, each in STRUCTURES.items()}
    assert core().imalign_kernel_bytes(len(found)) == 0


def test_every_code_has_its_sentence() -> None:
    unknown, *messages = (core().imalign_message(code).decode() for code in range(-1, 50))
    known = messages[: messages.index(unknown)]
    assert len(set(known)) == len(known) > 5
    assert set(messages[len(known) :]) == {unknown}


def test_planes_are_passed_as_they_lie() -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (array, array[::-1, ::-2], array.T, np.broadcast_to(array[0], (3, 6))):
        passed = plane(view, np.float32)
        assert (passed.height, passed.width) == view.shape
        assert (passed.step_y, passed.step_x) == view.strides
        assert passed.data == view.__array_interface__["data"][0]


def test_what_no_kernel_could_read_is_refused() -> None:
    with pytest.raises(TypeError, match="got a 2-D float64"):
        plane(np.zeros((2, 2)), np.float32)
    with pytest.raises(TypeError, match="got a 3-D"):
        plane(np.zeros((2, 2, 2), np.float32), np.float32)
    with pytest.raises(TypeError, match="got a 2-D >f4"):
        plane(np.zeros((2, 2), ">f4"), np.float32)


def test_an_output_must_be_writeable_and_dense_in_x() -> None:
    array = np.zeros((4, 6), np.float32)
    assert output(array[::-1], np.float32).step_y == -24
    for wrong in (array[:, ::2], array.T, np.broadcast_to(array[:1], (4, 6))):
        with pytest.raises(ValueError, match="an output must be"):
            output(wrong, np.float32)
