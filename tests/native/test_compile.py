"""What the compilers make of the sources, and which compiler is taken."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from align_cli.native.library import SOURCES
from build_backend import backend
from build_backend.compile import (
    LEVELS,
    ZIG_REQUIREMENT,
    Compiler,
    Failed,
    compiler,
    link,
    system_compiler,
    system_compilers,
    this_machine,
    works,
)
from tests.native.proofs import needs, needs_system_compiler, needs_zig, objects_by

FUSED = re.compile(r"\b(vfn?m(add|sub)\w*|fn?m(add|sub|la|ls)\b)")
"""Multiplications fused with an addition, of x86-64 and of 64-bit ARM."""

FOREIGN = {
    "dispatch": re.compile(r"\bv[a-z]+p[sd]\b|%[yz]mm"),
    "level_sse2": re.compile(r"\bv(mov|add|mul|p)\w+|%[yz]mm"),
    "level_avx2": re.compile(r"%zmm|%k[0-7]"),
}
"""What belongs to a later level than the object's own."""

FROM_LIBC = {"memcpy", "memset", "memmove", "memcmp", "strcmp"}
"""All that the core may ask of the system: nothing of libm."""


COMPILERS = pytest.mark.parametrize("by", [needs_system_compiler, needs_zig])

Needed = Callable[[], Compiler]


def told(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(this_machine() != "x86_64", reason="names x86-64's instructions")
@COMPILERS
def test_no_multiplication_is_fused_and_no_level_borrows_from_a_later_one(by: Needed) -> None:
    made = objects_by(by)
    objdump = needs("objdump", "apt-get install binutils")
    for path in made:
        text = told(objdump, "-d", "--no-show-raw-insn", path)
        assert "ret" in text
        assert not FUSED.findall(text)
        if path.stem in FOREIGN:
            assert not FOREIGN[path.stem].findall(text)
    # The pattern finds what it is for.
    wide = told(objdump, "-d", "--no-show-raw-insn", made[-1])
    assert FOREIGN["level_avx2"].findall(wide)
    assert FUSED.findall("vfmadd213ps %zmm1,%zmm2,%zmm3 fmla v0.4s, v1.4s, v2.4s")


def test_no_multiplication_is_fused_for_neon(tmp_path: Path) -> None:
    compiler = needs_zig("aarch64", "aarch64-linux-musl")
    source, assembly = SOURCES / "level_neon.c", tmp_path / "neon.s"
    compiler.run(*compiler.flags("neon"), "-S", str(source), "-o", str(assembly))
    text = assembly.read_text()
    assert re.search(r"fmul\s+v\d+\.4s", text)
    assert not FUSED.findall(text)


def test_zig_left_alone_would_fuse(tmp_path: Path) -> None:
    """Why the flags are what they are: its default is the processor at hand, and to contract."""
    compiler = needs_zig("aarch64", "aarch64-linux-musl")
    source = tmp_path / "fused.c"
    source.write_text("float f(float a, float b, float c) { return a * b + c; }")
    compiler.run("-O3", "-S", str(source), "-o", str(tmp_path / "fused.s"))
    assert FUSED.findall((tmp_path / "fused.s").read_text())
    compiler.run(*compiler.flags(), "-S", str(source), "-o", str(tmp_path / "apart.s"))
    assert not FUSED.findall((tmp_path / "apart.s").read_text())


@COMPILERS
def test_nothing_of_libm_is_called(by: Needed) -> None:
    nm = needs("nm", "apt-get install binutils")
    for path in objects_by(by):
        wanted = {line.split()[-1] for line in told(nm, "-u", path).splitlines()}
        assert {each for each in wanted if not each.startswith(("imalign_", "_GLOBAL"))} <= (
            FROM_LIBC
        )


@COMPILERS
def test_only_the_entries_are_visible(by: Needed, tmp_path: Path) -> None:
    nm = needs("nm", "apt-get install binutils")
    library = tmp_path / "library"
    link(by(), [str(path) for path in objects_by(by)], library)
    lines = told(nm, "-D", "--defined-only", library).splitlines()
    names = {line.split()[-1] for line in lines if " T " in line or " D " in line or " R " in line}
    assert "imalign_smooth" in names
    assert all(name.startswith("imalign_") for name in names)
    assert not any(name.startswith("imalign_kernels") for name in names)


def test_a_level_refuses_flags_that_are_not_its_own(tmp_path: Path) -> None:
    if this_machine() != "x86_64":
        pytest.skip("names x86-64's flags")
    compiler = needs_system_compiler()
    for level, flags in (("sse2", ["-mavx2"]), ("avx2", []), ("avx2", ["-mavx2", "-mfma"])):
        with pytest.raises(Failed, match="compile this file with the flags"):
            compiler.run(*flags, "-c", str(SOURCES / f"level_{level}.c"), "-o", "/dev/null")


def test_a_compiler_that_cannot_is_found_out(tmp_path: Path) -> None:
    machine = this_machine()
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho 'error: no convertvector' >&2\nexit 1\n")
    old.chmod(0o755)
    assert not works(Compiler((str(old),), machine))
    assert not works(Compiler((str(tmp_path / "none"),), machine))
    assert works(needs_system_compiler())


def test_the_named_compiler_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "ccache 'my gcc'")
    assert next(iter(system_compilers())).command[:2] == ("ccache", "my gcc")


def test_ziglang_is_asked_for_only_where_no_compiler_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks = (backend.get_requires_for_build_wheel, backend.get_requires_for_build_editable)
    monkeypatch.setattr(backend, "system_compiler", needs_system_compiler)
    assert not any(ZIG_REQUIREMENT in hook() for hook in hooks)
    monkeypatch.setattr(backend, "system_compiler", lambda: None)
    assert all(ZIG_REQUIREMENT in hook() for hook in hooks)


def test_without_any_compiler_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    system_compiler.cache_clear()
    try:
        with pytest.raises(Failed, match=f"{re.escape(sys.executable)} -m pip install 'ziglang"):
            compiler()
    finally:
        system_compiler.cache_clear()


def test_a_machine_without_kernels_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "linux-riscv64")
    with pytest.raises(Failed, match="x86_64 and aarch64, not for riscv64"):
        this_machine()
    for name, machine in (("macosx-11.0-arm64", "aarch64"), ("win-amd64", "x86_64")):
        monkeypatch.setenv("_PYTHON_HOST_PLATFORM", name)
        assert this_machine() == machine
    assert set(LEVELS) == {"x86_64", "aarch64"}
